import assert from 'node:assert/strict';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { aidBytes } from '@sefleet/globalplatform';
import type { SecureElement } from '../../card/secure-element.ts';
import { IotSafeClient } from '../../clients/iot-safe-client.ts';
import { iotSafePersonalisationCommands } from '../../clients/iot-safe-personalisation.ts';
import { cardWithApplet, open, sendAll, SUPPLIER, testKeys } from '../../testing/card-fixture.ts';
import {
  FIRMWARE_AUTHORITY_KEY,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
} from './identifiers.ts';
import { pskPremaster, tlsPrfSha256 } from './tls-prf.ts';

const KEYS = testKeys('supplier');
const SECRET_ID = fromHex('01');
const PRIVATE_ID = fromHex('02');
const PUBLIC_ID = fromHex('03');
const PSK = fromHex('3378406d706c3350354b3533637233744b3379');

async function iotSafeCard(): Promise<SecureElement> {
  const card = await cardWithApplet(
    { loadFile: IOT_SAFE_LOAD_FILE, module: IOT_SAFE_MODULE, instance: IOT_SAFE_INSTANCE },
    KEYS,
  );
  const session = await open(card, SUPPLIER, KEYS);
  await sendAll(
    session,
    iotSafePersonalisationCommands(session, aidBytes(IOT_SAFE_INSTANCE), [
      { kind: 'secret', id: SECRET_ID, label: 'lwm2m', value: PSK },
      { kind: 'key-pair', privateId: PRIVATE_ID, publicId: PUBLIC_ID, label: 'device' },
      { kind: 'file', id: fromHex('04'), label: 'certificate', content: new Uint8Array(700).fill(7) },
    ]),
  );
  return card;
}

for (const otherSecret of [undefined, new Uint8Array(32).fill(9)]) {
  test(`the master secret comes from the ${otherSecret === undefined ? 'PSK' : 'ECDHE_PSK'} premaster without the key leaving`, async () => {
    const client = new IotSafeClient((await iotSafeCard()).transmit);
    const seed = new Uint8Array(64).fill(5);
    const input = { label: 'master secret', seed, ...(otherSecret === undefined ? {} : { otherSecret }) };
    const labelAndSeed = Buffer.concat([Buffer.from('master secret'), seed]);
    const expected = tlsPrfSha256(pskPremaster(PSK, otherSecret), labelAndSeed, 48);
    assert.equal(toHex(client.masterSecret(SECRET_ID, input)), toHex(expected));
  });
}

test('the TLS 1.2 PRF gives the published SHA-256 vector', () => {
  // Published on the IETF TLS list, 2009: P_SHA256 test vector.
  const secret = fromHex('9bbe436ba940f017b17652849a71db35');
  const seed = fromHex('a0ba9f936cda311827a6f796ffd5198c');
  const output = tlsPrfSha256(secret, Buffer.concat([Buffer.from('test label'), seed]), 100);
  assert.equal(
    toHex(output),
    'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66',
  );
});

test('a key pair is made on the card and signs messages and digests', async () => {
  const client = new IotSafeClient((await iotSafeCard()).transmit);
  const point = client.generateKeyPair(PRIVATE_ID);
  assert.deepEqual(client.publicKey(PUBLIC_ID), point);
  const key = createPublicKey({
    key: Buffer.from(client.subjectPublicKeyInfo(PUBLIC_ID)),
    format: 'der',
    type: 'spki',
  });
  const message = new Uint8Array(1000).fill(3);
  assert.ok(verify('sha256', message, key, client.signMessage(PRIVATE_ID, message)));
  for (let i = 0; i < 20; i++) {
    const digest = createHash('sha256').update(message).digest();
    assert.ok(verify('sha256', message, key, client.sign(PRIVATE_ID, digest)));
  }
});

test("a signature is checked on the card by somebody else's public key", async () => {
  const signer = new IotSafeClient((await iotSafeCard()).transmit);
  const publicKey = signer.generateKeyPair(PRIVATE_ID);
  const card = await iotSafeCard();
  const session = await open(card, SUPPLIER, KEYS);
  const authority = { kind: 'public-key', id: FIRMWARE_AUTHORITY_KEY, label: 'firmware', publicKey } as const;
  const commands = iotSafePersonalisationCommands(session, aidBytes(IOT_SAFE_INSTANCE), [authority]);
  await sendAll(session, commands);
  const client = new IotSafeClient(card.transmit);
  assert.deepEqual(client.publicKey(FIRMWARE_AUTHORITY_KEY), publicKey);
  for (const length of [1, 174, 175, 1000]) {
    const message = new Uint8Array(length).fill(3);
    const key = createPublicKey({
      key: Buffer.from(signer.subjectPublicKeyInfo(PUBLIC_ID)),
      format: 'der',
      type: 'spki',
    });
    const der = signer.signMessage(PRIVATE_ID, message);
    assert.ok(verify('sha256', message, key, der));
    const signature = rawSignature(der);
    assert.equal(client.verifyMessage(FIRMWARE_AUTHORITY_KEY, message, signature), true);
    assert.equal(client.verifyMessage(FIRMWARE_AUTHORITY_KEY, message.with(0, 4), signature), false);
    assert.equal(client.verifyMessage(FIRMWARE_AUTHORITY_KEY, message, signature.subarray(1)), false);
  }
  assert.throws(
    () => client.verifyMessage(fromHex('09'), new Uint8Array(1), new Uint8Array(64)),
    (error) => isSefleetError(error, 'SE_APPLET_REFUSED') && error.context['sw'] === 0x6a88,
  );
});

/** r and s of a DER signature, 32 bytes each. */
function rawSignature(der: Uint8Array): Uint8Array {
  const raw = new Uint8Array(64);
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0;
    const digits = der.subarray(at + 2, at + 2 + length).subarray(-32);
    raw.set(digits, end - digits.length);
    at += 2 + length;
  }
  return raw;
}

test('both sides of an ECDH agree, and a point off the curve is refused', async () => {
  const one = new IotSafeClient((await iotSafeCard()).transmit);
  const other = new IotSafeClient((await iotSafeCard()).transmit);
  const [a, b] = [one.generateKeyPair(PRIVATE_ID), other.generateKeyPair(PRIVATE_ID)];
  assert.deepEqual(one.sharedSecret(PRIVATE_ID, b), other.sharedSecret(PRIVATE_ID, a));
  const off = b.slice();
  off[64] = (off[64] ?? 0) ^ 1;
  assert.throws(
    () => one.sharedSecret(PRIVATE_ID, off),
    (error) => isSefleetError(error, 'SE_APPLET_REFUSED'),
  );
});

test('files are read in parts, and random bytes come from the card', async () => {
  const client = new IotSafeClient((await iotSafeCard()).transmit);
  assert.deepEqual(client.readFile(fromHex('04')), new Uint8Array(700).fill(7));
  assert.equal(client.random(32).length, 32);
  assert.notDeepEqual(client.random(32), client.random(32));
});
