import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  combinedInstallCommands,
  decodeLoadFile,
  decipherCode,
  desKeyCheckValue,
  ecPoint,
  encipherCode,
  encodeLoadFile,
  getStatusCommand,
  INSTALL_FOR,
  INSTALL_PROCESS,
  installForLoadCommand,
  loadCommands,
  PRIVILEGE,
  putKeysCommand,
  putPublicKeyCommand,
  putSymmetricKeyCommand,
  signGp,
  STATUS_SCOPE,
  verifyReceipt,
  withToken,
} from '@sefleet/globalplatform';
import type { CardLink, CodeKey, CommandApdu, LoadFile } from '@sefleet/globalplatform';
import { encodePackage } from '../applets/package.ts';
import { METERING_MODULE } from '../applets/metering/identifiers.ts';
import type { SecureElement } from '../card/secure-element.ts';
import { exportCard } from '../card/create-card.ts';
import {
  installDomain,
  makeDomain,
  newCard,
  open,
  send,
  statusOf,
  testKeys,
} from '../testing/card-fixture.ts';

const LOAD_FILE = aid('F07365666C65657409');
const APPLET = aid('F07365666C6565740901');
const MANAGER = aid('A0000001515350410A');
const READER = aid('A0000001515350410C');
const KEYS = testKeys('manager');
const CODE = encodePackage(LOAD_FILE, { version: fromHex('0102'), modules: [METERING_MODULE] });
const HASH = createHash('sha256').update(CODE).digest();
const RECEIPT_KEY = testKeys('receipts').enc;
const CODE_KEYS: readonly CodeKey[] = [
  { kind: 'aes', value: testKeys('code', 16).enc },
  { kind: 'aes', value: testKeys('code', 24).enc },
  { kind: 'aes', value: testKeys('code', 32).enc },
  { kind: 'triple-des', value: testKeys('code', 16).enc },
];
const AES_KEY: CodeKey = { kind: 'aes', value: testKeys('code', 16).enc };

const INSTALL = {
  module: aidBytes(METERING_MODULE),
  instance: aidBytes(APPLET),
  privileges: 0,
  parameters: fromHex('c900'),
};

function combined(securityDomain?: Uint8Array) {
  const domain = securityDomain === undefined ? {} : { securityDomain };
  return combinedInstallCommands({ loadFile: aidBytes(LOAD_FILE), hash: HASH, ...domain }, INSTALL);
}

async function sendAll(link: CardLink, commands: readonly CommandApdu[]): Promise<void> {
  for (const command of commands) await send(link, command);
}

const PLAIN = loadCommands({ daps: [], code: CODE });

test('a combined process leaves the load file and its application, or neither of them', async () => {
  const card = newCard();
  const issuer = await open(card);
  const before = card.revision;
  const { beginning, end } = combined();
  await sendAll(issuer, [beginning, ...PLAIN]);
  assert.ok(!card.applications.includes(APPLET));
  const files = getStatusCommand(STATUS_SCOPE.LOAD_FILES, { filter: aidBytes(LOAD_FILE) });
  assert.equal(await statusOf(issuer, files), '6a88', 'not before the end');
  assert.equal(await statusOf(issuer, PLAIN[0] ?? end), '6985', 'nothing more to load');
  assert.equal(card.revision, before);
  assert.equal(toHex(await send(issuer, end)), '00');
  assert.equal(card.revision, before + 1, 'one write');
  assert.ok(card.applications.includes(APPLET));
  assert.equal(await statusOf(issuer, files), '9000');
  assert.equal(await statusOf(issuer, end), '6985', 'it is over');
});

test('a combined process whose end is refused leaves nothing', async () => {
  for (const spoil of [
    (end: CommandApdu) => ({
      ...end,
      data: combinedInstallCommands({ loadFile: aidBytes(READER) }, INSTALL).end.data,
    }),
    (end: CommandApdu) => ({ ...end, p2: 0x02 }),
    (end: CommandApdu) => ({ ...end, p1: INSTALL_FOR.EXTRADITION }),
    () =>
      combinedInstallCommands({ loadFile: aidBytes(LOAD_FILE) }, { ...INSTALL, module: aidBytes(READER) })
        .end,
    () =>
      combinedInstallCommands({ loadFile: aidBytes(LOAD_FILE) }, { ...INSTALL, privileges: 0x800000 }).end,
  ]) {
    const card = newCard();
    const issuer = await open(card);
    const image = exportCard(card);
    const { beginning, end } = combined();
    await sendAll(issuer, [beginning, ...PLAIN]);
    assert.notEqual(await statusOf(issuer, spoil(end)), '9000');
    assert.deepEqual(exportCard(card), image);
  }
});

test('a combined process may write each command’s own share into P1, and leave out the file at its end', async () => {
  const issuer = await open(newCard());
  const { beginning, end } = combined();
  const short = combinedInstallCommands({ loadFile: new Uint8Array(0) }, INSTALL).end;
  await sendAll(issuer, [
    { ...beginning, p1: INSTALL_FOR.LOAD },
    ...PLAIN,
    { ...short, p1: INSTALL_FOR.INSTALL_AND_MAKE_SELECTABLE },
  ]);
  assert.equal(end.p2, INSTALL_PROCESS.END);
});

test('a power cut at the write of a combined process leaves nothing, and it can be repeated', async () => {
  let cutting = false;
  const card = newCard({
    onCommit: () => {
      if (cutting) throw new RangeError('the power is gone');
    },
  });
  const { beginning, end } = combined();
  const issuer = await open(card);
  const image = exportCard(card);
  await sendAll(issuer, [beginning, ...PLAIN]);
  cutting = true;
  await assert.rejects(send(issuer, end), RangeError);
  cutting = false;
  assert.deepEqual(exportCard(card), image);
  await sendAll(await open(card), [beginning, ...PLAIN, end]);
  assert.ok(card.applications.includes(APPLET));
});

async function managed(): Promise<{
  card: SecureElement;
  sign: (end: CommandApdu, of: CommandApdu) => CommandApdu;
}> {
  const card = newCard();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = await open(card);
  await send(issuer, putPublicKeyCommand({ point: ecPoint(privateKey) }, { newVersion: 0x70, keyId: 1 }));
  await send(issuer, putSymmetricKeyCommand(issuer, RECEIPT_KEY, { newVersion: 0x71, keyId: 1 }));
  await send(issuer, installDomain(MANAGER, PRIVILEGE.DELEGATED_MANAGEMENT));
  const first = await open(card, MANAGER);
  await send(first, putKeysCommand(first, KEYS, { newVersion: 1 }));
  return { card, sign: (end, of) => withToken(end, privateKey, [of]) };
}

test('a delegated combined process has one token, over both of its commands, and one receipt', async () => {
  const { card, sign } = await managed();
  const manager = await open(card, MANAGER, KEYS);
  const { beginning, end } = combined(aidBytes(MANAGER));
  await sendAll(manager, [beginning, ...PLAIN]);
  const receipt = await send(manager, sign(end, beginning));
  const done = { kind: 'install', loadFile: aidBytes(LOAD_FILE), application: aidBytes(APPLET) } as const;
  assert.equal(verifyReceipt(receipt, RECEIPT_KEY, done, 0).confirmation.counter, 1);
});

test('a token over another beginning, over the end alone, or none at all, loads nothing', async () => {
  const { card, sign } = await managed();
  const { beginning, end } = combined(aidBytes(MANAGER));
  const other = combinedInstallCommands({ loadFile: aidBytes(LOAD_FILE), hash: new Uint8Array(32) }, INSTALL);
  for (const last of [sign(end, other.beginning), sign(end, { ...beginning, p2: 0 }), end]) {
    const manager = await open(card, MANAGER, KEYS);
    await sendAll(manager, [beginning, ...PLAIN]);
    const image = exportCard(card);
    assert.equal(await statusOf(manager, last), '6982');
    assert.deepEqual(exportCard(card), image);
  }
  const withEarlyToken = { ...beginning, data: sign({ ...beginning }, beginning).data };
  assert.equal(
    await statusOf(await open(card, MANAGER, KEYS), withEarlyToken),
    '6a80',
    'a token at the beginning',
  );
});

test('a domain that wants load files signed may come while one is being loaded', async () => {
  const card = newCard();
  const issuer = await open(card);
  const { beginning, end } = combined();
  await sendAll(issuer, [beginning, ...PLAIN]);
  await send(issuer, installDomain(READER, PRIVILEGE.DAP_VERIFICATION | PRIVILEGE.MANDATED_DAP));
  assert.equal(await statusOf(issuer, end), '6982');
});

/** A card with a domain that reads ciphered load files, under which they come. */
async function reading(key: CodeKey | undefined): Promise<{ card: SecureElement; issuer: CardLink }> {
  const card = newCard();
  await makeDomain(card, READER, KEYS, PRIVILEGE.CIPHERED_LOAD_FILE);
  if (key !== undefined) {
    const session = await open(card, READER, KEYS);
    const put = putSymmetricKeyCommand(session, key.value, { newVersion: 0x75, keyId: 1 });
    if (key.kind === 'aes') await send(session, put);
    else {
      const check = desKeyCheckValue(key.value);
      const data = Uint8Array.from([0x75, 0x82, 16, ...session.encryptSensitive(key.value), 3, ...check]);
      await send(session, { ...put, data });
    }
  }
  return { card, issuer: await open(card) };
}

async function loadCiphered(issuer: CardLink, loadFile: LoadFile, hash = HASH): Promise<string> {
  const install = { loadFile: aidBytes(LOAD_FILE), securityDomain: aidBytes(READER), hash };
  await send(issuer, installForLoadCommand(install));
  let status = '';
  for (const command of loadCommands(loadFile)) status = await statusOf(issuer, command);
  return status;
}

for (const key of CODE_KEYS) {
  test(`a load file ciphered with ${key.kind} of ${key.value.length} bytes is read by its domain`, async () => {
    for (const icv of [undefined, new Uint8Array(key.kind === 'aes' ? 16 : 8).fill(0x5a)]) {
      const { issuer } = await reading(key);
      assert.equal(await loadCiphered(issuer, { daps: [], code: encipherCode(CODE, key, icv) }), '9000');
    }
  });
}

test('ciphered code without a key, with another key or damaged, loads nothing', async () => {
  const code = encipherCode(CODE, AES_KEY);
  const { ciphertext } = code;
  const damaged = { ciphertext: ciphertext.with(0, (ciphertext[0] ?? 0) ^ 1) };
  const cases: readonly (readonly [CodeKey | undefined, LoadFile['code'], string])[] = [
    [undefined, code, '6985'],
    [{ kind: 'aes', value: testKeys('other').enc }, code, '6a80'],
    [AES_KEY, damaged, '6a80'],
    [AES_KEY, { ciphertext: ciphertext.subarray(1) }, '6a80'],
    [AES_KEY, { ciphertext: new Uint8Array(0) }, '6a80'],
    [AES_KEY, { ciphertext, icv: new Uint8Array(8) }, '6a80'],
  ];
  for (const [key, given, status] of cases) {
    const { card, issuer } = await reading(key);
    const image = exportCard(card);
    assert.equal(await loadCiphered(issuer, { daps: [], code: given }), status);
    assert.deepEqual(exportCard(card).length, image.length);
  }
});

test('only a domain with the privilege deciphers, and only for what is below it', async () => {
  const card = newCard();
  await makeDomain(card, READER, KEYS);
  const session = await open(card, READER, KEYS);
  await send(session, putSymmetricKeyCommand(session, AES_KEY.value, { newVersion: 0x75, keyId: 1 }));
  const ciphered = { daps: [], code: encipherCode(CODE, AES_KEY) };
  assert.equal(await loadCiphered(await open(card), ciphered), '6985', 'the privilege is missing');
  const { issuer } = await reading(AES_KEY);
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE), hash: HASH }));
  const [only] = loadCommands(ciphered);
  assert.equal(
    await statusOf(issuer, only ?? combined().end),
    '6985',
    'it belongs to the issuer, who reads none',
  );
});

test('DAPs cover the code in the clear', async () => {
  const { card, issuer } = await reading(AES_KEY);
  const verifier = aid('A00000015153504155');
  await makeDomain(card, verifier, KEYS, PRIVILEGE.DAP_VERIFICATION | PRIVILEGE.MANDATED_DAP);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const session = await open(card, verifier, KEYS);
  await send(session, putPublicKeyCommand({ point: ecPoint(privateKey) }, { newVersion: 0x73, keyId: 1 }));
  assert.ok(issuer);
  const code = encipherCode(CODE, AES_KEY);
  const over = (hash: Uint8Array) => [
    { securityDomain: aidBytes(verifier), signature: signGp(privateKey, hash) },
  ];
  const ciphertextHash = createHash('sha256').update(code.ciphertext).digest();
  const again = await open(card);
  assert.equal(await loadCiphered(again, { daps: over(ciphertextHash), code }), '6982');
  assert.equal(await loadCiphered(again, { daps: over(HASH), code }), '9000');
});

test('a load file with two codes, or none, is none', () => {
  const plain = encodeLoadFile({ daps: [], code: CODE });
  const ciphered = encodeLoadFile({ daps: [], code: encipherCode(CODE, AES_KEY) });
  for (const bytes of [Buffer.concat([plain, ciphered]), Buffer.concat([plain, plain]), new Uint8Array(0)]) {
    assert.throws(() => decodeLoadFile(bytes), { code: 'GP_TLV_UNEXPECTED' });
  }
});

test('what was enciphered is deciphered, with every key and whatever the length', () => {
  const property = fc.property(
    fc.uint8Array({ maxLength: 100 }),
    fc.constantFrom(...CODE_KEYS),
    fc.boolean(),
    (code, key, withIcv) => {
      const icv = withIcv ? new Uint8Array(key.kind === 'aes' ? 16 : 8).fill(7) : undefined;
      const enciphered = encipherCode(code, key, icv);
      const { code: read } = decodeLoadFile(encodeLoadFile({ daps: [], code: enciphered }));
      assert.ok(!(read instanceof Uint8Array));
      assert.deepEqual(decipherCode(read, key), code);
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test('a key that is none is named', () => {
  assert.throws(() => encipherCode(CODE, { kind: 'triple-des', value: new Uint8Array(24) }), {
    code: 'GP_KEY_INVALID',
  });
  assert.throws(() => encipherCode(CODE, AES_KEY, new Uint8Array(8)), { code: 'GP_KEY_INVALID' });
});
