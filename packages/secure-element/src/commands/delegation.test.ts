import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { concatBytes, fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  decodeReceipt,
  deleteCommand,
  ecPoint,
  encodeTlv,
  getDataCommand,
  installCommand,
  PRIVILEGE,
  putKeysCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  verifyReceipt,
  withToken,
} from '@sefleet/globalplatform';
import type { CommandApdu, SigningKey } from '@sefleet/globalplatform';
import { SECURITY_DOMAIN_LOAD_FILE, SECURITY_DOMAIN_MODULE } from '../profiles/standard-profile.ts';
import type { SecureElement } from '../card/secure-element.ts';
import {
  installDomain,
  newCard,
  open,
  OPEN_DOMAIN,
  send,
  statusOf,
  testKeys,
} from '../testing/card-fixture.ts';

const MANAGER = aid('A0000001515350410A');
const TARGET = aid('A0000001515350410B');
const MANAGER_KEYS = testKeys('manager');
const RECEIPT_KEY = testKeys('receipts').enc;
const CONTEXT = {
  kind: 'install',
  loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
  application: aidBytes(TARGET),
} as const;

/** A card with a delegated manager; `token` puts the key that verifies tokens. */
async function managedCard(
  token: (session: Awaited<ReturnType<typeof open>>) => CommandApdu,
): Promise<SecureElement> {
  const card = newCard();
  const issuer = await open(card);
  await send(issuer, token(issuer));
  await send(issuer, putSymmetricKeyCommand(issuer, RECEIPT_KEY, { newVersion: 0x71, keyId: 1 }));
  await send(issuer, installDomain(MANAGER, PRIVILEGE.DELEGATED_MANAGEMENT));
  const first = await open(card, MANAGER);
  await send(first, putKeysCommand(first, MANAGER_KEYS, { newVersion: 1 }));
  return card;
}

function rsaPublic(key: KeyObject): CommandApdu {
  const { n = '', e = '' } = key.export({ format: 'jwk' });
  const decode = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));
  return putPublicKeyCommand({ modulus: decode(n), exponent: decode(e) }, { newVersion: 0x70, keyId: 1 });
}

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = (modulusLength: number): KeyObject => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const AES_TOKEN_KEY = testKeys('tokens').enc;

const SCHEMES: readonly (readonly [name: string, key: SigningKey])[] = [
  ['RSA-1024, PKCS#1 v1.5 with SHA-1', rsa(1024)],
  ['RSA-2048, PSS with SHA-256', rsa(2048)],
  ['ECDSA on P-256', ec('P-256')],
  ['ECDSA on P-384', ec('P-384')],
  ['ECDSA on P-521', ec('P-521')],
  ['AES-CMAC', { kind: 'aes', key: AES_TOKEN_KEY }],
];

for (const [name, key] of SCHEMES) {
  test(`tokens by ${name} are accepted from the holder of the key only, and confirmed`, async () => {
    const card = await managedCard((session) => {
      if ('kind' in key) return putSymmetricKeyCommand(session, key.key, { newVersion: 0x70, keyId: 1 });
      return key.asymmetricKeyType === 'rsa'
        ? rsaPublic(key)
        : putPublicKeyCommand({ point: ecPoint(key) }, { newVersion: 0x70, keyId: 1 });
    });
    const manager = await open(card, MANAGER, MANAGER_KEYS);
    const command = installDomain(TARGET);
    assert.equal(await statusOf(manager, withToken(command, { kind: 'aes', key: RECEIPT_KEY })), '6982');
    const response = await send(manager, withToken(command, key));
    const receipt = verifyReceipt(response, RECEIPT_KEY, CONTEXT, 0);
    assert.equal(toHex(receipt.confirmation.cardUniqueData), '494401230000000000000001');
    assert.equal(toHex((await manager.transmit(getDataCommand(0x00c2))).data), 'c2020001');
  });
}

/** INSTALL of the target domain with a token template B6 in its parameters. */
function installWith(...template: readonly Uint8Array[]): CommandApdu {
  return installCommand({
    loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE),
    module: aidBytes(SECURITY_DOMAIN_MODULE),
    instance: aidBytes(TARGET),
    privileges: PRIVILEGE.SECURITY_DOMAIN,
    parameters: concatBytes(OPEN_DOMAIN, encodeTlv(0xb6, ...template)),
  });
}

test('a token with an identifier holds once, although what it made was deleted again', async () => {
  const key = ec('P-256');
  const card = await managedCard(() =>
    putPublicKeyCommand({ point: ecPoint(key) }, { newVersion: 0x70, keyId: 1 }),
  );
  const manager = await open(card, MANAGER, MANAGER_KEYS);
  const token = withToken(installWith(encodeTlv(0x93, fromHex('000001'))), key);
  const receipt = decodeReceipt(await send(manager, token));
  assert.equal(toHex(receipt?.confirmation.token?.identifier ?? fromHex('')), '000001');
  assert.equal(receipt?.confirmation.token?.digest.length, 32);
  await send(manager, withToken(deleteCommand(aidBytes(TARGET)), key));
  assert.equal(await statusOf(manager, token), '6982');
  const next = withToken(installWith(encodeTlv(0x93, fromHex('000002'))), key);
  assert.equal(await statusOf(manager, next), '9000');
});

test('a token that was used does not hold again in its other form, which ECDSA lets everybody make', async () => {
  const key = ec('P-256');
  const card = await managedCard(() =>
    putPublicKeyCommand({ point: ecPoint(key) }, { newVersion: 0x70, keyId: 1 }),
  );
  const manager = await open(card, MANAGER, MANAGER_KEYS);
  const command = withToken(installWith(encodeTlv(0x93, fromHex('000001'))), key);
  await send(manager, command);
  await send(manager, withToken(deleteCommand(aidBytes(TARGET)), key));
  // r, s is as good as r, n - s.
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const data = command.data.slice();
  const s = BigInt(`0x${toHex(data.subarray(-32))}`);
  data.set(fromHex((order - s).toString(16).padStart(64, '0')), data.length - 32);
  assert.equal(await statusOf(manager, { ...command, data }), '6982');
});

test('a token that names another card is refused', async () => {
  const key = ec('P-256');
  const card = await managedCard(() =>
    putPublicKeyCommand({ point: ecPoint(key) }, { newVersion: 0x70, keyId: 1 }),
  );
  const manager = await open(card, MANAGER, MANAGER_KEYS);
  const named = (image: string) => withToken(installWith(encodeTlv(0x45, fromHex(image))), key);
  assert.equal(await statusOf(manager, named('0000000000000002')), '6982');
  assert.equal(await statusOf(manager, named('0000000000000001')), '9000');
});

test('a refused command gives no receipt and counts none', async () => {
  const key = ec('P-256');
  const card = await managedCard(() =>
    putPublicKeyCommand({ point: ecPoint(key) }, { newVersion: 0x70, keyId: 1 }),
  );
  const manager = await open(card, MANAGER, MANAGER_KEYS);
  await statusOf(manager, installDomain(TARGET));
  assert.equal(await statusOf(manager, withToken(deleteCommand(aidBytes(TARGET)), key)), '6a88');
  assert.equal(toHex((await manager.transmit(getDataCommand(0x00c2))).data), 'c2020000');
});
