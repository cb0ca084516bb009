import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  CERTIFICATE_USAGE,
  decodeCertificate,
  ecPoint,
  encodeAllowList,
  encodeCertificate,
  getDataCommand,
  getStatusCommand,
  openScp11Session,
  plainLink,
  putKeysCommand,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  readRegistry,
  STATUS_SCOPE,
  storeDataCommands,
} from '@sefleet/globalplatform';
import type { Scp11Options } from '@sefleet/globalplatform';
import { publicKeyOf, P256 } from '../applets/iot-safe/curves.ts';
import type { SecureElement } from '../card/secure-element.ts';
import {
  ISSUER_KEYS,
  newCard,
  open,
  seededRng,
  select,
  send,
  sendAll,
  statusOf,
  testKeys,
} from '../testing/card-fixture.ts';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import {
  AUTHORITY as AUTHORITY_DOMAIN,
  meterInTheField,
  NEW_SUPPLIER_CERTIFICATE,
  PARTIES,
} from '../testing/switch-fixture.ts';
import { makeOwnVectors } from '../testing/own-vectors.ts';

const AUTHORITY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const CARD_SCALAR = seededRng('card key').bytes(32);
const HOST_SCALAR = seededRng('host key').bytes(32);
const PLACE = { keyVersion: 0x12, keyId: 0x11 };

const { KEY_AGREEMENT, DIGITAL_SIGNATURE } = CERTIFICATE_USAGE;

function certificateOf(
  publicKey: Uint8Array,
  signer = AUTHORITY,
  usage: number = KEY_AGREEMENT,
  serialNumber = fromHex('01'),
): Uint8Array {
  const fields = { serialNumber, authority: fromHex('4341'), subject: fromHex('4f4345') };
  return encodeCertificate({ ...fields, usage, expiration: '20301231', publicKey }, signer);
}

async function cardWithKey(): Promise<SecureElement> {
  const card = newCard();
  const session = await open(card);
  await send(session, putPublicKeyCommand({ point: ecPoint(AUTHORITY) }, { newVersion: 0x11, keyId: 0x10 }));
  await send(session, putPrivateKeyCommand(session, CARD_SCALAR, { newVersion: 0x12, keyId: 0x11 }));
  await select(card, ISSUER_SECURITY_DOMAIN);
  return card;
}

function optionsFor(
  card: SecureElement,
  certificates = [certificateOf(publicKeyOf(P256, HOST_SCALAR))],
): Scp11Options {
  return {
    transmit: card.transmit,
    variant: 'a',
    cardPoint: publicKeyOf(P256, CARD_SCALAR),
    ...PLACE,
    host: { privateScalar: HOST_SCALAR, certificates, authorityKeyVersion: 0x11, authorityKeyId: 0x10 },
    rng: seededRng('session'),
  };
}

for (const variant of ['a', 'c'] as const) {
  for (const level of [0x11, 0x33] as const) {
    test(`SCP11${variant} at level ${level.toString(16)} manages content and encrypts keys under its own DEK`, async () => {
      const card = await cardWithKey();
      const session = await openScp11Session({ ...optionsFor(card), variant, level });
      const entries = await readRegistry(session, STATUS_SCOPE.ISSUER_SECURITY_DOMAIN);
      assert.equal(entries.length, 1);
      const keys = testKeys('after SCP11');
      await send(session, putKeysCommand(session, keys, { newVersion: 0x31 }));
      await open(card, ISSUER_SECURITY_DOMAIN, keys, { keyVersion: 0x31 });
    });
  }
}

test('SCP11b authenticates the card alone: reading is allowed, managing is not', async () => {
  const card = await cardWithKey();
  const { host: _, ...anonymous } = optionsFor(card);
  const session = await openScp11Session({ ...anonymous, variant: 'b' });
  assert.equal(await statusOf(session, getDataCommand(0x00e0)), '9000');
  assert.equal(await statusOf(session, getStatusCommand(STATUS_SCOPE.APPLICATIONS)), '6982');
});

test('a chain of certificates is followed, and a link that does not hold is refused', async () => {
  const card = await cardWithKey();
  const middle = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const above = certificateOf(ecPoint(middle), AUTHORITY, DIGITAL_SIGNATURE);
  const chain = [above, certificateOf(publicKeyOf(P256, HOST_SCALAR), middle)];
  await openScp11Session(optionsFor(card, chain));
  await select(card, ISSUER_SECURITY_DOMAIN);
  const broken = [above, certificateOf(publicKeyOf(P256, HOST_SCALAR), AUTHORITY)];
  await assert.rejects(openScp11Session(optionsFor(card, broken)), (error) =>
    isSefleetError(error, 'GP_STATUS_WORD'),
  );
});

test('a host cannot certify others: not for itself, and not to come back under an allowed serial number', async () => {
  const card = await cardWithKey();
  const issuer = await open(card);
  const list = encodeAllowList(0x10, 0x11, [fromHex('0a')]);
  await sendAll(issuer, storeDataCommands(list, { format: 'ber-tlv' }));
  await select(card, ISSUER_SECURITY_DOMAIN);
  const revoked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const own = certificateOf(ecPoint(revoked), AUTHORITY, KEY_AGREEMENT, fromHex('0b'));
  const forged = certificateOf(publicKeyOf(P256, HOST_SCALAR), revoked, KEY_AGREEMENT, fromHex('0a'));
  await assert.rejects(openScp11Session(optionsFor(card, [own, forged])), { code: 'GP_STATUS_WORD' });
});

test('a certificate of the Controlling Authority opens no session with the authority’s domain', async () => {
  const card = await meterInTheField();
  const { authority, newSupplier } = PARTIES;
  const scalar = newSupplier.signingKey.export({ format: 'jwk' }).d ?? '';
  const agreement = certificateOf(ecPoint(newSupplier.signingKey), authority.key);
  for (const certificate of [NEW_SUPPLIER_CERTIFICATE, agreement]) {
    const data = await select(card, AUTHORITY_DOMAIN).then(() =>
      send(plainLink(card.transmit), getDataCommand(0x7f21)),
    );
    const options: Scp11Options = {
      transmit: card.transmit,
      variant: 'a',
      cardPoint: decodeCertificate(data).publicKey,
      keyVersion: 0x74,
      keyId: 3,
      host: {
        privateScalar: Uint8Array.from(Buffer.from(scalar, 'base64url')),
        certificates: [certificate],
        authorityKeyVersion: 0x74,
        authorityKeyId: 1,
      },
      rng: seededRng('intruder'),
    };
    await assert.rejects(openScp11Session(options), { code: 'GP_STATUS_WORD' });
    const { host: _, ...anonymous } = options;
    await assert.rejects(openScp11Session({ ...anonymous, variant: 'b' }), { code: 'GP_STATUS_WORD' });
  }
});

test('a host whose key is not the certified one, and a card that is not the certified one, do not get a session', async () => {
  const card = await cardWithKey();
  const options = optionsFor(card, [certificateOf(publicKeyOf(P256, CARD_SCALAR))]);
  await assert.rejects(openScp11Session(options), (error) => isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC'));
  await select(card, ISSUER_SECURITY_DOMAIN);
  const cardPoint = publicKeyOf(P256, seededRng('another card').bytes(32));
  await assert.rejects(openScp11Session({ ...optionsFor(card), cardPoint }), (error) =>
    isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC'),
  );
  await open(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
});

/** With UPDATE_VECTORS=1 the test writes the fixture anew instead of comparing with it. */
test('the sessions for which nobody publishes vectors are those of our fixture', async () => {
  const path = new URL('../../../../test/fixtures/vectors/secure-channels-own.json', import.meta.url);
  const vectors = await makeOwnVectors();
  const made =
    'By packages/secure-element/src/testing/own-vectors.ts, from fixed keys, challenges and ephemerals';
  const text = `${JSON.stringify({ made, vectors }, undefined, 1)}\n`;
  if (process.env['UPDATE_VECTORS'] === '1') writeFileSync(path, text);
  assert.equal(readFileSync(path, 'utf8'), text);
});
