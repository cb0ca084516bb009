import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  CARD_LIFE_CYCLE,
  decodeApdu,
  ecPoint,
  encodeApdu,
  encodeKeyGroupings,
  encodeSecurityDomainParameters,
  deleteCommand,
  getDataCommand,
  getStatusCommand,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForRegistryUpdateCommand,
  loadCommands,
  openScp03Session,
  plainLink,
  PRIVILEGE,
  putKeysCommand,
  putPublicKeyCommand,
  readKeyInformation,
  readRegistry,
  selectCommand,
  SET_STATUS_SCOPE,
  setStatusCommand,
  signGp,
  STATUS_SCOPE,
  storeDataCommands,
} from '@sefleet/globalplatform';
import type { CardLink } from '@sefleet/globalplatform';
import { defineApplet } from '../applets/applet.ts';
import { encodePackage } from '../applets/package.ts';
import { exportCard, importCard } from '../card/create-card.ts';
import { IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '../applets/iot-safe/identifiers.ts';
import { iotSafePersonalisationCommands } from '../clients/iot-safe-personalisation.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { ISSUER_SECURITY_DOMAIN, STANDARD_PROFILE } from '../profiles/standard-profile.ts';
import {
  installDomain,
  ISSUER_KEYS,
  makeDomain,
  newCard,
  open,
  OTHER_SUPPLIER,
  seededRng,
  select,
  send,
  statusOf,
  SUPPLIER,
  testKeys,
} from '../testing/card-fixture.ts';

const KEYS = testKeys('supplier');
const LOAD_FILE = aid('F07365666C65657409');
const CODE = encodePackage(LOAD_FILE, { version: fromHex('0102'), modules: [METERING_MODULE] });
const APPLET = aid('F07365666C6565740901');

async function load(
  link: CardLink,
  code: Uint8Array,
  daps: { securityDomain: Uint8Array; signature: Uint8Array }[] = [],
) {
  const hash = createHash('sha256').update(code).digest();
  await send(link, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE), hash }));
  const statuses: string[] = [];
  for (const command of loadCommands({ daps, code })) statuses.push(await statusOf(link, command));
  return statuses.at(-1);
}

test('a load file is loaded in blocks, listed, instantiated and deleted', async () => {
  const card = newCard();
  const issuer = await open(card);
  assert.equal(await load(issuer, CODE), '9000');
  const files = await readRegistry(issuer, STATUS_SCOPE.LOAD_FILES_AND_MODULES);
  assert.deepEqual(files.find((file) => file.aid === LOAD_FILE)?.modules, [METERING_MODULE]);
  const code = {
    loadFile: aidBytes(LOAD_FILE),
    module: aidBytes(METERING_MODULE),
    instance: aidBytes(APPLET),
  };
  await send(issuer, installCommand({ ...code, privileges: 0, parameters: fromHex('c900') }));
  assert.ok(card.applications.includes(APPLET));
});

test('code that is no package of ours loads without modules', async () => {
  const issuer = await open(newCard());
  assert.equal(await load(issuer, new Uint8Array(900).fill(0x11)), '9000');
  const files = await readRegistry(issuer, STATUS_SCOPE.LOAD_FILES_AND_MODULES);
  assert.deepEqual(files.find((file) => file.aid === LOAD_FILE)?.modules, undefined);
});

test('a load file with a wrong hash, or blocks out of order, is refused', async () => {
  const card = newCard();
  const issuer = await open(card);
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE), hash: new Uint8Array(32) }));
  const [only] = loadCommands({ daps: [], code: CODE });
  assert.ok(only);
  assert.equal(await statusOf(issuer, only), '6a80');
  assert.equal(await statusOf(issuer, only), '6985', 'and the load is over');
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE) }));
  assert.equal(await statusOf(issuer, { ...only, p2: 1 }), '6a86');
});

test('with a mandated DAP only load files that its domain has signed are loaded', async () => {
  const card = newCard();
  const verifier = aid('A00000015153504155');
  await makeDomain(card, verifier, KEYS, PRIVILEGE.DAP_VERIFICATION | PRIVILEGE.MANDATED_DAP);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const session = await open(card, verifier, KEYS);
  await send(session, putPublicKeyCommand({ point: ecPoint(privateKey) }, { newVersion: 0x73, keyId: 1 }));
  const issuer = await open(card);
  assert.equal(await load(issuer, CODE), '6982');
  const hash = createHash('sha256').update(CODE).digest();
  const dap = { securityDomain: aidBytes(verifier), signature: signGp(privateKey, hash) };
  const forged = { ...dap, signature: dap.signature.with(0, (dap.signature[0] ?? 0) ^ 1) };
  assert.equal(await load(issuer, CODE, [forged]), '6982');
  assert.equal(await load(issuer, CODE, [dap]), '9000');
});

test('a domain’s quota holds for all that is below it', async () => {
  const card = newCard();
  const parameters = encodeSecurityDomainParameters({
    acceptExtraditionHere: fromHex('20'),
    quotaBytes: 1000,
  });
  await send(await open(card), installDomain(SUPPLIER, 0, parameters));
  const inherited = await open(card, SUPPLIER);
  const [first, second] = [1, 2].map((i) =>
    storeDataCommands(fromHex(`5f5${i}8201f0${'aa'.repeat(0x1f0)}`), { format: 'ber-tlv' }),
  );
  for (const command of first ?? []) await send(inherited, command);
  const statuses: string[] = [];
  for (const command of second ?? []) statuses.push(await statusOf(inherited, command));
  assert.equal(statuses.at(-1), '6a84');
});

test('what an applet stores counts against the quota of its domain', async () => {
  const card = newCard();
  const issuer = await open(card);
  const parameters = encodeSecurityDomainParameters({
    acceptExtraditionHere: fromHex('20'),
    quotaBytes: 1500,
  });
  await send(issuer, installDomain(SUPPLIER, 0, parameters));
  const ids = { loadFile: aidBytes(IOT_SAFE_LOAD_FILE), module: aidBytes(IOT_SAFE_MODULE) };
  await send(
    issuer,
    installCommand({ ...ids, instance: aidBytes(APPLET), privileges: 0, parameters: fromHex('c900') }),
  );
  await send(issuer, installForExtraditionCommand(aidBytes(SUPPLIER), aidBytes(APPLET)));
  const inherited = await open(card, SUPPLIER);
  const store = async (id: number, length: number) => {
    const file = {
      kind: 'file',
      id: Uint8Array.of(id),
      label: 'f',
      content: new Uint8Array(length),
    } as const;
    let last = '';
    for (const command of iotSafePersonalisationCommands(inherited, aidBytes(APPLET), [file])) {
      last = await statusOf(inherited, command);
    }
    return last;
  };
  assert.equal(await store(1, 800), '9000');
  assert.equal(await store(2, 800), '6a84');
  assert.equal(await store(3, 200), '9000');
});

test('keys come by STORE DATA groupings as well', async () => {
  const card = newCard();
  await send(await open(card), installDomain(SUPPLIER));
  const inherited = await open(card, SUPPLIER);
  const groupings = encodeKeyGroupings(inherited, [KEYS.enc, KEYS.mac, KEYS.dek], { keyVersion: 5 });
  for (const command of storeDataCommands(groupings, { encrypted: true })) await send(inherited, command);
  const own = await open(card, SUPPLIER, KEYS, { keyVersion: 5 });
  assert.equal((await readKeyInformation(own)).length, 3);
});

test('the card’s life cycle goes its legal ways only', async () => {
  const card = newCard();
  const issuer = await open(card);
  const to = (state: number) => statusOf(issuer, setStatusCommand(SET_STATUS_SCOPE.CARD, state));
  assert.equal(await to(CARD_LIFE_CYCLE.INITIALIZED), '6985');
  assert.equal(await to(CARD_LIFE_CYCLE.CARD_LOCKED), '9000');
  assert.equal(toHex(card.transmit(fromHex('00A4040000'))).slice(-4), '6283');
  const again = await open2(card);
  const [store] = storeDataCommands(fromHex('5f5003aabbcc'), { format: 'ber-tlv' });
  const putKeys = putKeysCommand(again, KEYS, { newVersion: 0x31 });
  for (const change of [installDomain(SUPPLIER), putKeys, store ?? putKeys]) {
    assert.equal(await statusOf(again, change), '6985', 'nothing on a locked card changes');
  }
  assert.equal(
    await statusOf(again, setStatusCommand(SET_STATUS_SCOPE.CARD, CARD_LIFE_CYCLE.SECURED)),
    '9000',
  );
  assert.equal(
    await statusOf(again, setStatusCommand(SET_STATUS_SCOPE.CARD, CARD_LIFE_CYCLE.TERMINATED)),
    '9000',
  );
  assert.equal(await statusOf(again, getStatusCommand(STATUS_SCOPE.APPLICATIONS)), '6985');
  assert.equal(toHex(card.transmit(fromHex('00A4040000'))), '6985');
});

async function open2(card: ReturnType<typeof newCard>) {
  return await openScp03Session({ transmit: card.transmit, keys: ISSUER_KEYS, rng: seededRng('again') });
}

test('a locked domain answers SELECT with 6283 and opens no channel; unlocked it is what it was', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, KEYS);
  const lock = setStatusCommand(SET_STATUS_SCOPE.APPLICATION, 0x80, aidBytes(SUPPLIER));
  await send(await open(card), lock);
  assert.equal(await statusOf(plainLink(card.transmit), selectCommand(aidBytes(SUPPLIER))), '6283');
  assert.equal(toHex(card.transmit(fromHex('8050000008010203040506070800'))), '6985');
  await send(await open(card), { ...lock, p2: 0x0f });
  await open(card, SUPPLIER, KEYS);
});

test('privileges change by registry update, and exclude each other as the standard says', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, KEYS);
  await makeDomain(card, OTHER_SUPPLIER, KEYS);
  const issuer = await open(card);
  const update = (privileges: string) =>
    statusOf(
      issuer,
      installForRegistryUpdateCommand({ application: aidBytes(SUPPLIER), privileges: fromHex(privileges) }),
    );
  assert.equal(await update('a00000'), '9000');
  assert.equal(await update('a04000'), '6a80', 'delegated and authorized management');
  assert.equal(await update('000000'), '6a80', 'a domain that is none');
  assert.equal(await update('800080'), '6a80', 'receipts are the issuer’s');
  const [entry] = await readRegistry(issuer, STATUS_SCOPE.APPLICATIONS);
  assert.equal(entry?.privileges, PRIVILEGE.SECURITY_DOMAIN | PRIVILEGE.DELEGATED_MANAGEMENT);
});

for (const [keyLength, i, challengeLength] of [
  [16, 0x71, 16],
  [24, 0x70, 8],
  [32, 0x71, 16],
  [32, 0x60, 8],
] as const) {
  test(`a session with AES-${keyLength * 8} keys and i=${i.toString(16)} changes keys of the same length`, async () => {
    const card = newCard({}, { ...STANDARD_PROFILE, scp03: i });
    const session = await open(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS, { challengeLength });
    const keys = testKeys('long', keyLength);
    await send(session, putKeysCommand(session, keys, { newVersion: 0x32 }));
    const next = await open(card, ISSUER_SECURITY_DOMAIN, keys, { challengeLength, keyVersion: 0x32 });
    assert.equal(next.macLength, challengeLength);
    assert.equal(await statusOf(next, getStatusCommand(STATUS_SCOPE.ISSUER_SECURITY_DOMAIN)), '9000');
  });
}

test('PUT KEY over several commands takes an EC key with its curve written out, and only a known curve', async () => {
  const card = newCard();
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const whole = decodeApdu(apdu);
    if (whole.ins !== 0xd8) return card.transmit(apdu);
    const { le: _, extended: __, ...part } = whole;
    const first = { ...part, p1: whole.p1 | 0x80, data: whole.data.subarray(0, 255) };
    assert.equal(toHex(card.transmit(encodeApdu(first))), '9000');
    return card.transmit(encodeApdu({ ...part, data: whole.data.subarray(255) }));
  };
  await select(card, ISSUER_SECURITY_DOMAIN);
  const session = await openScp03Session({ transmit, keys: ISSUER_KEYS, rng: seededRng('h') });
  const point = toHex(ecPoint(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey));
  const putCurve = (prime: string) =>
    statusOf(session, {
      ...putPublicKeyCommand({ point: fromHex(point) }, { newVersion: 0x70, keyId: 1 }),
      data: fromHex(
        `70b041${point}b220${prime}b320${'00'.repeat(32)}b420${'00'.repeat(32)}` +
          `b541${point}b620${'00'.repeat(32)}b7010100`,
      ),
    });
  assert.equal(await putCurve('11'.repeat(32)), '9484');
  assert.equal(await putCurve(`ffffffff00000001${'0'.repeat(24)}${'f'.repeat(24)}`), '9000');
});

test('certificates of a key are stored and read by its identifier and version', async () => {
  const card = newCard();
  const session = await open(card);
  const bundle = fromHex('a604830211 03 bf2107 3005 0203010203');
  for (const command of storeDataCommands(bundle, { format: 'ber-tlv' })) await send(session, command);
  const read = (key: string) => session.transmit(getDataCommand(0xbf21, fromHex(`a6048302${key}`)));
  assert.equal(toHex((await read('1103')).data), '30050203010203');
  assert.equal((await read('1104')).sw, 0x6a88);
});

test('the applet of a deleted load file goes with it, and the file name is free again', async () => {
  const card = newCard();
  const issuer = await open(card);
  const code = {
    loadFile: aidBytes(METERING_LOAD_FILE),
    module: aidBytes(METERING_MODULE),
    instance: aidBytes(APPLET),
  };
  await send(issuer, installCommand({ ...code, privileges: 0, parameters: fromHex('c900') }));
  assert.equal(await statusOf(issuer, deleteCommand(aidBytes(METERING_LOAD_FILE))), '6985');
  assert.equal(
    await statusOf(issuer, deleteCommand(aidBytes(METERING_LOAD_FILE), { related: true })),
    '9000',
  );
  assert.deepEqual(card.applications, [ISSUER_SECURITY_DOMAIN]);
});

test('an applet of the embedding program is loaded, installed and keeps its state over export and import', async () => {
  const module = aid('F0AABBCCDD0101');
  const loadFile = aid('F0AABBCCDD01');
  const counter = defineApplet<number>({
    module,
    name: 'counter',
    install: () => 0,
    process: (_, context) => {
      context.setCounter(context.state + 1);
      return Uint8Array.of(context.state);
    },
    encode: (state) => Uint8Array.of(state),
    decode: ([state = 0]) => state,
  });
  const applets = [counter];
  const card = newCard({ applets });
  const issuer = await open(card);
  await send(issuer, installForLoadCommand({ loadFile: aidBytes(loadFile) }));
  const code = encodePackage(loadFile, { version: fromHex('0100'), modules: [module] });
  for (const command of loadCommands({ daps: [], code })) await send(issuer, command);
  const ids = { loadFile: aidBytes(loadFile), module: aidBytes(module), instance: aidBytes(module) };
  await send(issuer, installCommand({ ...ids, privileges: 0, parameters: fromHex('c900') }));
  await select(card, module);
  assert.equal(toHex(card.transmit(fromHex('8001000000'))), '019000');
  const again = importCard(exportCard(card), { rng: seededRng('again'), applets });
  await select(again, module);
  assert.equal(toHex(again.transmit(fromHex('8001000000'))), '029000');
});
