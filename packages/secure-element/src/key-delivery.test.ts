import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  decodeDgis,
  decodeScenario2bParameters,
  encodeDgis,
  encodeScenario2bParameters,
  encodeSecurityDomainParameters,
  getDataCommand,
  installForPersonalizationCommand,
  openScenario2b,
  plainLink,
  PRIVILEGE,
  putKeysCommand,
  putSymmetricKeyCommand,
  readScenario3Challenge,
  Scenario3Agreement,
  scenario2bCommand,
  scenario3CertificateCommand,
  SCENARIO3_PARAMETER,
  storeDataCommands,
  verifyScenario2bReceipt,
  withToken,
} from '@sefleet/globalplatform';
import type { AuthorityKeys, CommandApdu, Dgi, StaticKeys, Trace } from '@sefleet/globalplatform';
import { P256, publicKeyOf } from './applets/iot-safe/curves.ts';
import { exportCard } from './card/create-card.ts';
import type { SecureElement } from './card/secure-element.ts';
import {
  installDomain,
  ISSUER_KEYS,
  newCard,
  open,
  seededRng,
  send,
  statusOf,
  testKeys,
} from './testing/card-fixture.ts';
import {
  AUTHORITY,
  CARD_UNIQUE_DATA,
  meterInTheField,
  NEW_SUPPLIER,
  NEW_SUPPLIER_CERTIFICATE,
  PARTIES,
  TSM,
} from './testing/switch-fixture.ts';

const PATH = new URL('../../../test/fixtures/vectors/scenario2b-own.json', import.meta.url);
const MADE =
  'By packages/secure-element/src/key-delivery.test.ts with UPDATE_VECTORS=1, from fixed keys; computed a second time ' +
  'outside of this code, with AES and CMAC of another library, from the description in docs/spec-coverage/globalplatform.md';
const PROVIDER = aid('A00000015153504121');
const OTHER = aid('A00000015153504122');
const SHARED: AuthorityKeys = {
  authentication: testKeys('KS.CASD').mac,
  confidentiality: testKeys('KS.CASD').enc,
};
const KEYS = testKeys('provider');
const PARAMETERS = { keyVersion: 1, keyLength: 16, counter: 7 } as const;
const TARGET = { cardUniqueData: CARD_UNIQUE_DATA, domain: aidBytes(PROVIDER) };

/**
 * A card whose authority domain shares AES keys with its authority, and two providers' domains without keys.
 */
async function cardWithSharedKeys(onCommit?: () => void): Promise<SecureElement> {
  const card = newCard(onCommit === undefined ? {} : { onCommit });
  const capability = encodeSecurityDomainParameters({ controllingAuthority: fromHex('01') });
  const issuer = await open(card);
  await send(issuer, installDomain(AUTHORITY, PRIVILEGE.GLOBAL_SERVICE, capability));
  for (const domain of [PROVIDER, OTHER]) await send(issuer, installDomain(domain));
  const session = await open(card, AUTHORITY);
  const place = (keyId: number) => ({ newVersion: 0x74, keyId });
  await send(session, putSymmetricKeyCommand(session, SHARED.authentication, place(2)));
  await send(session, putSymmetricKeyCommand(session, SHARED.confidentiality, place(3)));
  await send(session, putKeysCommand(session, testKeys('authority domain'), { newVersion: 1 }));
  return card;
}

/** The issuer's session, with STORE DATA going to `domain`. */
async function personalising(card: SecureElement, domain = PROVIDER) {
  const issuer = await open(card);
  await send(issuer, installForPersonalizationCommand(aidBytes(domain)));
  return issuer;
}

const push = (counter: number, keys: StaticKeys = KEYS, target = TARGET): CommandApdu =>
  scenario2bCommand(keys, { ...PARAMETERS, counter }, SHARED, target);

for (const keyLength of [16, 24, 32] as const) {
  test(`an authority pushes AES-${keyLength * 8} keys into a domain, which is the provider’s from then on`, async () => {
    const card = await cardWithSharedKeys();
    const keys = testKeys('provider', keyLength);
    const parameters = { keyVersion: 1, keyLength, counter: 0 };
    const command = scenario2bCommand(keys, parameters, SHARED, TARGET);
    const receipt = await send(await personalising(card), command);
    verifyScenario2bReceipt(receipt, keys, parameters, TARGET);
    await open(card, PROVIDER, keys);
    await assert.rejects(open(card, PROVIDER, ISSUER_KEYS), { code: 'GP_CARD_NOT_AUTHENTIC' });
  });
}

test('a push serves once, and none that is older than the last one', async () => {
  const card = await cardWithSharedKeys();
  await send(await personalising(card), push(7));
  const other = { ...TARGET, domain: aidBytes(OTHER) };
  const issuer = await personalising(card, OTHER);
  for (const counter of [7, 6, 0]) assert.equal(await statusOf(issuer, push(counter, KEYS, other)), '6982');
  const again = await personalising(card, OTHER);
  await send(again, push(0xffffffff, KEYS, other));
  const provider = await open(card, PROVIDER, KEYS);
  assert.equal(await statusOf(provider, push(8)), '6982', 'the last counter there is was used');
});

test('the counter of pushes cannot be written, and is read in the authority’s domain alone', async () => {
  const card = await cardWithSharedKeys();
  await send(await personalising(card), push(7));
  const session = await open(card, AUTHORITY, testKeys('authority domain'));
  assert.equal(toHex(await send(session, getDataCommand(0xdf11))), 'df110400000007');
  const [write] = storeDataCommands(fromHex('df110400000000'), { format: 'ber-tlv' });
  assert.equal(await statusOf(session, write ?? push(0)), '6a80');
  assert.equal(await statusOf(await open(card), getDataCommand(0xdf11)), '6a88');
});

test('a push that was changed anywhere, or is for another card or domain, changes nothing', async () => {
  const card = await cardWithSharedKeys();
  const right = push(7);
  const refused = async (command: CommandApdu): Promise<void> => {
    const issuer = await personalising(card);
    const before = exportCard(card);
    assert.match(await statusOf(issuer, command), /^(6982|6a80|6985)$/u, toHex(command.data));
    assert.deepEqual(exportCard(card), before);
  };
  for (let at = 0; at < right.data.length; at += 3) {
    await refused({ ...right, data: right.data.with(at, (right.data[at] ?? 0) ^ 0x01) });
  }
  await refused(push(7, KEYS, { ...TARGET, domain: aidBytes(OTHER) }));
  await refused(push(7, KEYS, { ...TARGET, cardUniqueData: fromHex('4944012300000002') }));
  const swapped = decodeDgis(right.data);
  const [a6, enc, mac, ...rest] = swapped;
  assert.ok(a6 && enc && mac);
  await refused({ ...right, data: encodeDgis([a6, mac, enc, ...rest]) });
  await refused({ ...right, data: encodeDgis(swapped.slice(0, -1)) });
  await send(await personalising(card), right);
});

test('a push needs a session of who manages the domain, and a card with shared authority keys', async () => {
  const card = await cardWithSharedKeys();
  assert.equal(await statusOf(plainLink(card.transmit), push(7)), '6982');
  const meter = await meterInTheField();
  const tsm = await open(meter, TSM, PARTIES.tsm.keys);
  await send(tsm, withToken(installDomain(NEW_SUPPLIER), PARTIES.issuer.tokenKey));
  await send(tsm, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const target = { ...TARGET, domain: aidBytes(NEW_SUPPLIER) };
  assert.equal(await statusOf(tsm, push(7, KEYS, target)), '6985', 'its authority domain has EC keys');
});

test('a power cut leaves neither the keys nor the counter of a push, which can be sent again', async () => {
  let cutting = false;
  const card = await cardWithSharedKeys(() => {
    if (cutting) throw new RangeError('the power is gone');
  });
  const issuer = await personalising(card);
  const before = exportCard(card);
  cutting = true;
  await assert.rejects(send(issuer, push(7)), RangeError);
  cutting = false;
  assert.deepEqual(exportCard(card), before);
  const { revision } = card;
  await send(await personalising(card), push(7));
  assert.equal(card.revision, revision + 2, 'the session, and keys with the counter in one write');
  await open(card, PROVIDER, KEYS);
});

/** What somebody sees who carries every byte and opens what the issuer's session protects. */
function listener(): { readonly trace: Trace; readonly seen: Uint8Array[] } {
  const seen: Uint8Array[] = [];
  return {
    seen,
    trace: ({ command, response, plain }) => seen.push(command, response, plain?.data ?? new Uint8Array(0)),
  };
}

function contains(seen: readonly Uint8Array[], secret: Uint8Array): boolean {
  return seen.some((bytes) => toHex(bytes).includes(toHex(secret)));
}

/** The groupings of a recorded push, as everybody on the way has them. */
function recordedGroupings(seen: readonly Uint8Array[]): readonly Dgi[] {
  const found = seen.find((bytes) => toHex(bytes).startsWith('00a6'));
  assert.ok(found);
  return decodeDgis(found);
}

test('contrast: in scenario #2.B the carrier learns nothing, and the authority everything, even afterwards', async () => {
  const card = await cardWithSharedKeys();
  const issuer = await personalising(card);
  const { seen, trace } = listener();
  const command = push(7);
  const answer = await issuer.transmit(command);
  trace({ command: command.data, response: answer.data, plain: command });
  for (const key of [KEYS.enc, KEYS.mac, KEYS.dek]) assert.ok(!contains(seen, key), 'the carrier');

  const groupings = recordedGroupings(seen);
  const parameters = decodeScenario2bParameters(groupings[0]?.data ?? new Uint8Array(0));
  assert.ok(parameters);
  const guessed = { ...SHARED, authentication: ISSUER_KEYS.mac };
  assert.equal(openScenario2b(groupings, parameters, guessed, TARGET), undefined);
  const learned = openScenario2b(groupings, parameters, SHARED, TARGET);
  assert.deepEqual(learned, KEYS, 'the authority reads the recording');
  await open(card, PROVIDER, learned);
});

test('contrast: in scenario #3 neither the carrier nor the authority learns the keys from the same vantage', async () => {
  const card = await meterInTheField();
  const tsm = await open(card, TSM, PARTIES.tsm.keys);
  await send(tsm, withToken(installDomain(NEW_SUPPLIER), PARTIES.issuer.tokenKey));
  await send(tsm, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const certify = scenario3CertificateCommand(NEW_SUPPLIER_CERTIFICATE);
  const challenge = await send(tsm, certify);
  const cardPoint = publicKeyOf(P256, seededRng('authority domain').bytes(32));
  const agreeing = (ephemeralScalar: Uint8Array) =>
    new Scenario3Agreement({
      parameters: { parameter: SCENARIO3_PARAMETER.CERTIFICATE, keyVersion: 1, keyId: 1, keyLength: 16 },
      signingKey: PARTIES.newSupplier.signingKey,
      authorityDomainPoint: cardPoint,
      ephemeralScalar,
    });
  const agreement = agreeing(seededRng('ephemeral').bytes(32));
  const command = agreement.command(readScenario3Challenge(challenge));
  const response = await send(tsm, command);
  const keys = agreement.finish(response);
  const seen = [certify.data, challenge, command.data, response];
  for (const key of [keys.enc, keys.mac, keys.dek]) assert.ok(!contains(seen, key));
  // The authority's own secrets are a signing key, which is in no derivation, and what it can make up itself.
  const authorityScalar = Buffer.from(PARTIES.authority.key.export({ format: 'jwk' }).d ?? '', 'base64url');
  for (const scalar of [Uint8Array.from(authorityScalar), seededRng('a guess').bytes(32)]) {
    assert.throws(() => agreeing(scalar).finish(response), { code: 'GP_RECEIPT_INVALID' });
  }
  await open(card, NEW_SUPPLIER, keys);
});

test('whoever changes the keys on the way is found by the receipt, the authority included', async () => {
  const card = await cardWithSharedKeys();
  const swapped = testKeys('swapped');
  const receipt = await send(await personalising(card), push(7, swapped));
  assert.throws(() => verifyScenario2bReceipt(receipt, KEYS, { ...PARAMETERS }, TARGET), {
    code: 'GP_RECEIPT_INVALID',
  });
  verifyScenario2bReceipt(receipt, swapped, { ...PARAMETERS }, TARGET);
});

test('the template round-trips, and other scenarios, usages and lengths are none', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 0x7f }),
    fc.constantFrom(16 as const, 24 as const, 32 as const),
    fc.integer({ min: 0, max: 0xffffffff }),
    (keyVersion, keyLength, counter) => {
      const parameters = { keyVersion, keyLength, counter };
      assert.deepEqual(decodeScenario2bParameters(encodeScenario2bParameters(parameters)), parameters);
    },
  );
  fc.assert(property);
  const text = toHex(encodeScenario2bParameters(PARAMETERS));
  for (const [from, to] of [
    ['90020202', '90020302'],
    ['90020202', '90020201'],
    ['950110', '95013c'],
    ['800188', '800182'],
    ['810110', '810111'],
    ['820101', '820102'],
  ] as const) {
    assert.ok(text.includes(from));
    assert.equal(decodeScenario2bParameters(fromHex(text.replace(from, to))), undefined, to);
  }
  assert.throws(() => push(-1), { code: 'GP_KEY_INVALID' });
  assert.throws(() => push(1, testKeys('x', 24)), { code: 'GP_KEY_INVALID' });
});

interface Vector {
  readonly authentication: string;
  readonly confidentiality: string;
  readonly cardUniqueData: string;
  readonly domain: string;
  readonly keyVersion: number;
  readonly counter: number;
  readonly enc: string;
  readonly mac: string;
  readonly dek: string;
  readonly storeData: string;
  readonly response: string;
}

async function makeVector(keyLength: 16 | 24 | 32): Promise<Vector> {
  const card = await cardWithSharedKeys();
  const keys = testKeys('provider', keyLength);
  const command = scenario2bCommand(keys, { ...PARAMETERS, keyLength }, SHARED, TARGET);
  const response = await send(await personalising(card), command);
  return {
    authentication: toHex(SHARED.authentication),
    confidentiality: toHex(SHARED.confidentiality),
    cardUniqueData: toHex(CARD_UNIQUE_DATA),
    domain: toHex(TARGET.domain),
    keyVersion: PARAMETERS.keyVersion,
    counter: PARAMETERS.counter,
    enc: toHex(keys.enc),
    mac: toHex(keys.mac),
    dek: toHex(keys.dek),
    storeData: toHex(command.data),
    response: toHex(response),
  };
}

/** With UPDATE_VECTORS=1 the test writes the fixture anew instead of comparing with it. */
test('host and card push keys as our fixture says', async () => {
  const pushes: Vector[] = [];
  for (const keyLength of [16, 24, 32] as const) pushes.push(await makeVector(keyLength));
  const text = `${JSON.stringify({ made: MADE, pushes }, undefined, 1)}\n`;
  if (process.env['UPDATE_VECTORS'] === '1') writeFileSync(PATH, text);
  assert.equal(readFileSync(PATH, 'utf8'), text);
});
