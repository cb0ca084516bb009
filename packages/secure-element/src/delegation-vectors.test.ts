import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  installForPersonalizationCommand,
  openScp03Session,
  PRIVILEGE,
  putKeysCommand,
  putSymmetricKeyCommand,
  readScenario3Challenge,
  Scenario3Agreement,
  scenario3CertificateCommand,
  SCENARIO3_PARAMETER,
  tokenInput,
  verifyReceipt,
  withToken,
} from '@sefleet/globalplatform';
import type { Scenario3Parameters } from '@sefleet/globalplatform';
import { publicKeyOf, P256 } from './applets/iot-safe/curves.ts';
import { SECURITY_DOMAIN_LOAD_FILE } from './profiles/standard-profile.ts';
import { installDomain, newCard, open, seededRng, send, testKeys } from './testing/card-fixture.ts';
import {
  meterInTheField,
  NEW_SUPPLIER,
  NEW_SUPPLIER_CERTIFICATE,
  PARTIES,
  TSM,
} from './testing/switch-fixture.ts';

const PATH = new URL('../../../test/fixtures/vectors/delegation-own.json', import.meta.url);
const MADE =
  'By packages/secure-element/src/delegation-vectors.test.ts with UPDATE_VECTORS=1, from fixed keys and ' +
  'random numbers; ' +
  'the ECDSA signature and the certificate of scenario 3 are different in each run and are left out, as no ' +
  'derived value depends on them';
const MANAGER = aid('A0000001515350410A');
const TARGET = aid('A0000001515350410B');
const TOKEN_KEY = testKeys('tokens').enc;
const RECEIPT_KEY = testKeys('receipts').enc;
const AUTHORITY_SCALAR = seededRng('authority domain').bytes(32);
const EPHEMERAL_SCALAR = seededRng('ephemeral').bytes(32);
const CONTEXT = {
  kind: 'install',
  loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
  application: aidBytes(TARGET),
} as const;

interface Vectors {
  readonly made: string;
  readonly delegation: Readonly<
    Record<'tokenKey' | 'receiptKey' | 'covered' | 'commandData' | 'response', string>
  >;
  readonly scenario3: readonly Readonly<
    Record<
      'parameter' | 'ephemeralScalar' | 'authorityScalar' | 'challenge' | 'response' | 'enc' | 'mac' | 'dek',
      string
    >
  >[];
}

async function makeDelegation(): Promise<Vectors['delegation']> {
  const card = newCard();
  const issuer = await open(card);
  await send(issuer, putSymmetricKeyCommand(issuer, TOKEN_KEY, { newVersion: 0x70, keyId: 1 }));
  await send(issuer, putSymmetricKeyCommand(issuer, RECEIPT_KEY, { newVersion: 0x71, keyId: 1 }));
  await send(issuer, installDomain(MANAGER, PRIVILEGE.DELEGATED_MANAGEMENT));
  const keys = testKeys('manager');
  const first = await open(card, MANAGER);
  await send(first, putKeysCommand(first, keys, { newVersion: 1 }));
  const command = withToken(installDomain(TARGET), { kind: 'aes', key: TOKEN_KEY });
  const response = await send(await open(card, MANAGER, keys), command);
  return {
    tokenKey: toHex(TOKEN_KEY),
    receiptKey: toHex(RECEIPT_KEY),
    covered: toHex(tokenInput(installDomain(TARGET))),
    commandData: toHex(command.data),
    response: toHex(response),
  };
}

async function makeScenario3(parameter: number): Promise<Vectors['scenario3'][number]> {
  const card = await meterInTheField();
  card.transmit(fromHex('00A4040000'));
  const { transmit } = card;
  transmit(Uint8Array.from([0x00, 0xa4, 0x04, 0x00, aidBytes(TSM).length, ...aidBytes(TSM), 0x00]));
  const link = await openScp03Session({ transmit, keys: PARTIES.tsm.keys, rng: seededRng('tsm') });
  await send(link, withToken(installDomain(NEW_SUPPLIER), PARTIES.issuer.tokenKey));
  await send(link, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const challenge = readScenario3Challenge(
    await send(link, scenario3CertificateCommand(NEW_SUPPLIER_CERTIFICATE)),
  );
  const agreement = newAgreement(parameter, AUTHORITY_SCALAR, EPHEMERAL_SCALAR);
  const response = await send(link, agreement.command(challenge));
  const { enc, mac, dek } = agreement.finish(response);
  return {
    parameter: toHex(Uint8Array.of(parameter)),
    ephemeralScalar: toHex(EPHEMERAL_SCALAR),
    authorityScalar: toHex(AUTHORITY_SCALAR),
    challenge: toHex(challenge),
    response: toHex(response),
    enc: toHex(enc),
    mac: toHex(mac),
    dek: toHex(dek),
  };
}

function newAgreement(
  parameter: number,
  authorityScalar: Uint8Array,
  ephemeralScalar: Uint8Array,
): Scenario3Agreement {
  const parameters: Scenario3Parameters = {
    parameter: parameter | SCENARIO3_PARAMETER.CERTIFICATE,
    keyVersion: 1,
    keyId: 1,
    keyLength: 16,
  };
  const { signingKey } = PARTIES.newSupplier;
  return new Scenario3Agreement({
    parameters,
    signingKey,
    authorityDomainPoint: publicKeyOf(P256, authorityScalar),
    ephemeralScalar,
  });
}

const PARAMETERS = [SCENARIO3_PARAMETER.DERIVATION_RANDOM, 0];

/** With UPDATE_VECTORS=1 the test writes the fixture anew instead of comparing with it. */
test('the card answers delegated management and key agreement as our fixture says', async () => {
  const scenario3: Vectors['scenario3'][number][] = [];
  for (const parameter of PARAMETERS) scenario3.push(await makeScenario3(parameter));
  const vectors: Vectors = { made: MADE, delegation: await makeDelegation(), scenario3 };
  const text = `${JSON.stringify(vectors, undefined, 1)}\n`;
  if (process.env['UPDATE_VECTORS'] === '1') writeFileSync(PATH, text);
  assert.equal(readFileSync(PATH, 'utf8'), text);
});

test('the host makes the token of our fixture, verifies its receipt and finds the agreed keys', () => {
  const { delegation, scenario3 } = JSON.parse(readFileSync(PATH, 'utf8')) as Vectors; // written above
  const command = withToken(installDomain(TARGET), { kind: 'aes', key: fromHex(delegation.tokenKey) });
  assert.equal(toHex(command.data), delegation.commandData);
  const receiptKey = fromHex(delegation.receiptKey);
  verifyReceipt(fromHex(delegation.response), receiptKey, CONTEXT, 0);
  for (const vector of scenario3) {
    const [parameter = 0] = fromHex(vector.parameter);
    const scalars = [fromHex(vector.authorityScalar), fromHex(vector.ephemeralScalar)] as const;
    const keys = newAgreement(parameter, ...scalars).finish(fromHex(vector.response));
    assert.deepEqual(
      [keys.enc, keys.mac, keys.dek].map((key) => toHex(key)),
      [vector.enc, vector.mac, vector.dek],
    );
  }
});
