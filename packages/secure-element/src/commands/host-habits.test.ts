import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { concatBytes, fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  DATA_OBJECT,
  decodeTlvs,
  deleteCommand,
  ecPoint,
  encodeApdu,
  findTlv,
  getDataCommand,
  getStatusCommand,
  installCommand,
  installForLoadCommand,
  loadCommands,
  PRIVILEGE,
  putKeysCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  readKeyInformation,
  readRegistry,
  STATUS_SCOPE,
  storeDataCommands,
  verifyReceipt,
  withToken,
} from '@sefleet/globalplatform';
import type { CommandApdu, SecureChannelSession } from '@sefleet/globalplatform';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import { installDomain, newCard, open, send, statusOf, SUPPLIER, testKeys } from '../testing/card-fixture.ts';

const KEYS = testKeys('supplier');
const MANAGER = aid('A0000001515350410A');
const CAP_FILE = aid('D276000085300000');
const CAP_APPLET = aid('D27600008530000001');
const OTHER_FILE = aid('D276000085300001');

/** Header and applet component of a CAP file, as LOAD carries them. */
function capFile(named = CAP_FILE): Uint8Array {
  const component = (tag: number, body: Uint8Array) =>
    concatBytes(Uint8Array.of(tag, body.length >> 8, body.length), body);
  const header = concatBytes(fromHex('decaffed010204' + '0301' + '08'), aidBytes(named));
  const applet = concatBytes(fromHex('0109'), aidBytes(CAP_APPLET), fromHex('0000'));
  return concatBytes(component(1, header), component(3, applet), component(7, new Uint8Array(300)));
}

test('a CAP file is listed with its version and applets, and nothing is made from it', async () => {
  const issuer = await open(newCard());
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(CAP_FILE) }));
  for (const command of loadCommands({ daps: [], code: capFile() })) await send(issuer, command);
  const files = await readRegistry(issuer, STATUS_SCOPE.LOAD_FILES_AND_MODULES);
  const file = files.find((entry) => entry.aid === CAP_FILE);
  assert.deepEqual(file?.modules, [CAP_APPLET]);
  assert.deepEqual(file?.loadFileVersion, fromHex('0103'));
  const install = {
    loadFile: aidBytes(CAP_FILE),
    module: aidBytes(CAP_APPLET),
    instance: aidBytes(CAP_APPLET),
    privileges: 0,
    parameters: fromHex('c900'),
  };
  assert.equal(await statusOf(issuer, installCommand(install)), '6a88');
});

test('a CAP file that is cut short, or of another name than the one announced, is refused', async () => {
  for (const code of [capFile().subarray(0, 40), capFile(OTHER_FILE), fromHex('0100010003')]) {
    const issuer = await open(newCard());
    await send(issuer, installForLoadCommand({ loadFile: aidBytes(CAP_FILE) }));
    let status = '';
    for (const command of loadCommands({ daps: [], code })) status = await statusOf(issuer, command);
    assert.equal(status, '6a80');
  }
});

test('GET STATUS answers with the data objects of the tag list alone', async () => {
  const issuer = await open(newCard());
  await send(issuer, installDomain(SUPPLIER));
  const tagsOf = async (tags?: string): Promise<readonly number[]> => {
    const options = tags === undefined ? {} : { tags: fromHex(tags) };
    const data = await send(issuer, getStatusCommand(STATUS_SCOPE.APPLICATIONS, options));
    return decodeTlvs(decodeTlvs(data)[0]?.value ?? new Uint8Array(0)).map(({ tag }) => tag);
  };
  assert.deepEqual(await tagsOf('4f9f70c5'), [0x4f, 0x9f70, 0xc5]);
  assert.deepEqual(await tagsOf('cc4f'), [0x4f, 0xcc]);
  assert.deepEqual(await tagsOf(), [0x4f, 0x9f70, 0xc5, 0xc4, 0xcc]);
  const broken = getStatusCommand(STATUS_SCOPE.APPLICATIONS, { tags: fromHex('4f9f') });
  assert.equal(await statusOf(issuer, broken), '6a80');
});

test('the key information names every component of RSA and EC keys', async () => {
  const issuer = await open(newCard());
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await send(issuer, putPublicKeyCommand({ point: ecPoint(privateKey) }, { newVersion: 0x70, keyId: 1 }));
  const rsa = { modulus: new Uint8Array(128).fill(0xc5), exponent: fromHex('010001') };
  await send(issuer, putPublicKeyCommand(rsa, { newVersion: 0x73, keyId: 1 }));
  const keys = await readKeyInformation(issuer);
  assert.deepEqual(keys.find(({ keyVersion }) => keyVersion === 0x70)?.components, [
    { type: 0xb0, length: 65 },
    { type: 0xf0, length: 1 },
  ]);
  assert.deepEqual(keys.find(({ keyVersion }) => keyVersion === 0x73)?.components, [
    { type: 0xa1, length: 128 },
    { type: 0xa0, length: 3 },
  ]);
});

test('who personalised the card shows in its production data; its AID is no data object', async () => {
  const card = newCard();
  const issuer = await open(card);
  for (const object of ['9f67081111222233333333', '9f66084444555566666666'])
    for (const command of storeDataCommands(fromHex(object), { format: 'none' })) await send(issuer, command);
  const data = findTlv(decodeTlvs(await send(issuer, getDataCommand(DATA_OBJECT.CPLC))), 0x9f7f);
  assert.equal(toHex(data?.subarray(26) ?? new Uint8Array(0)), '11112222333333334444555566666666');
  const [rename] = storeDataCommands(fromHex('4f08a000000151000001'), { format: 'ber-tlv' });
  assert.equal(await statusOf(issuer, rename ?? getDataCommand(0)), '6a80');
  assert.deepEqual(card.applications, [ISSUER_SECURITY_DOMAIN]);
});

/** Sends `command` in parts that P1 announces, each protected by itself. */
async function sendProtectedParts(session: SecureChannelSession, command: CommandApdu): Promise<string> {
  for (let at = 0; ; at += 100) {
    const last = at + 100 >= command.data.length;
    const part = {
      ...command,
      p1: command.p1 | (last ? 0 : 0x80),
      data: command.data.subarray(at, at + 100),
    };
    const { sw } = await session.transmit(part);
    if (last || sw !== 0x9000) return sw.toString(16);
  }
}

test('commands in parts, each protected by itself or the whole before, are one command', async () => {
  const card = newCard();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = privateKey.export({ format: 'jwk' });
  const decode = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));
  const issuer = await open(card);
  const rsa = { modulus: decode(n), exponent: decode(e) };
  const put = putPublicKeyCommand(rsa, { newVersion: 0x70, keyId: 1 });
  assert.equal(await sendProtectedParts(issuer, put), '9000');
  await send(issuer, putSymmetricKeyCommand(issuer, KEYS.enc, { newVersion: 0x71, keyId: 1 }));
  await send(issuer, installDomain(MANAGER, PRIVILEGE.DELEGATED_MANAGEMENT));
  const first = await open(card, MANAGER);
  await send(first, putKeysCommand(first, KEYS, { newVersion: 1 }));
  const manager = await open(card, MANAGER, KEYS);
  assert.equal(await sendProtectedParts(manager, withToken(installDomain(SUPPLIER), privateKey)), '9000');
  // DELETE with a token of 256 bytes: protected as a whole and cut up afterwards.
  const doomed = withToken(deleteCommand(aidBytes(SUPPLIER)), privateKey);
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const whole = apdu.subarray(7, -2);
    const part = (p1: number, data: Uint8Array) =>
      card.transmit(encodeApdu({ cla: 0x84, ins: 0xe4, p1, p2: 0, data, le: 0x100 }));
    assert.equal(toHex(part(0x80, whole.subarray(0, 255))), '9000');
    return part(0x00, whole.subarray(255));
  };
  const again = await open(
    { transmit: (apdu) => (apdu[1] === 0xe4 ? transmit(apdu) : card.transmit(apdu)) },
    MANAGER,
    KEYS,
  );
  const receipt = await send(again, { ...doomed, extended: true });
  verifyReceipt(receipt, KEYS.enc, { kind: 'delete', object: aidBytes(SUPPLIER) });
});

test('one changed part of a command in protected parts ends the session, and nothing has changed', async () => {
  const card = newCard();
  const before = (await open(card), card.revision);
  let parts = 0;
  const transmit = (apdu: Uint8Array): Uint8Array => {
    if (apdu[1] !== 0xd8 || ++parts !== 2) return card.transmit(apdu);
    return card.transmit(apdu.with(-6, (apdu.at(-6) ?? 0) ^ 1));
  };
  const issuer = await open({ transmit });
  const rsa = { modulus: new Uint8Array(256).fill(0xc5), exponent: fromHex('010001') };
  const put = putPublicKeyCommand(rsa, { newVersion: 0x70, keyId: 1 });
  assert.equal(await sendProtectedParts(issuer, put), '6982');
  assert.equal(card.revision, before + 1, 'only the session was counted');
  assert.equal(toHex(card.transmit(fromHex('84F2400002'))).slice(-4), '6982');
});
