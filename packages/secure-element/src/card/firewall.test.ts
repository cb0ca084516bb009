import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  decodeApdu,
  deleteCommand,
  getDataCommand,
  getStatusCommand,
  installCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForPersonalizationCommand,
  installForRegistryUpdateCommand,
  loadCommands,
  plainLink,
  PRIVILEGE,
  putKeysCommand,
  putSymmetricKeyCommand,
  readRegistry,
  SET_STATUS_SCOPE,
  setStatusCommand,
  STATUS_SCOPE,
  storeDataCommands,
  withToken,
} from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { encodePackage } from '../applets/package.ts';
import { METERING_MODULE } from '../applets/metering/identifiers.ts';
import { exportCard } from './create-card.ts';
import {
  ISSUER_KEYS,
  makeDomain,
  newCard,
  open,
  OTHER_SUPPLIER,
  select,
  send,
  statusOf,
  SUPPLIER,
  testKeys,
} from '../testing/card-fixture.ts';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';

const KEYS = testKeys('supplier');
const OTHER_KEYS = testKeys('other supplier');
const SECRET_TAG = 0x5f50;

async function twoSuppliers() {
  const card = newCard();
  await makeDomain(card, SUPPLIER, KEYS);
  await makeDomain(card, OTHER_SUPPLIER, OTHER_KEYS);
  const session = await open(card, SUPPLIER, KEYS);
  for (const command of storeDataCommands(fromHex('5f5003aabbcc'), { format: 'ber-tlv' }))
    await send(session, command);
  return card;
}

/** Every command by which one domain could reach another, from the session of the other. */
const REACHES: readonly (readonly [
  name: string,
  command: (victim: Aid) => ReturnType<typeof deleteCommand>,
])[] = [
  ['DELETE', (victim) => deleteCommand(aidBytes(victim))],
  ['DELETE with what belongs to it', (victim) => deleteCommand(aidBytes(victim), { related: true })],
  ['lock', (victim) => setStatusCommand(SET_STATUS_SCOPE.APPLICATION, 0x80, aidBytes(victim))],
  [
    'lock with applications',
    (victim) => setStatusCommand(SET_STATUS_SCOPE.DOMAIN_AND_ITS_APPLICATIONS, 0x80, aidBytes(victim)),
  ],
  ['personalise', (victim) => installForPersonalizationCommand(aidBytes(victim))],
  [
    'extradite to itself',
    (victim) => installForExtraditionCommand(aidBytes(OTHER_SUPPLIER), aidBytes(victim)),
  ],
  [
    'registry update',
    (victim) => installForRegistryUpdateCommand({ application: aidBytes(victim), privileges: fromHex('80') }),
  ],
  ['lock the card', () => setStatusCommand(SET_STATUS_SCOPE.CARD, 0x7f)],
  ['terminate the card', () => setStatusCommand(SET_STATUS_SCOPE.CARD, 0xff)],
];

for (const victim of [SUPPLIER, ISSUER_SECURITY_DOMAIN]) {
  for (const [name, command] of REACHES) {
    test(`a supplier cannot ${name} ${victim === SUPPLIER ? 'another supplier’s domain' : 'the issuer'}`, async () => {
      const card = await twoSuppliers();
      const intruder = await open(card, OTHER_SUPPLIER, OTHER_KEYS);
      const before = exportCard(card);
      const sw = await statusOf(intruder, command(victim));
      assert.match(sw, /^6(985|a80|a88|a86)$/);
      assert.deepEqual(exportCard(card), before);
    });
  }
}

test('a supplier sees its own entries in GET STATUS and nobody else’s', async () => {
  const card = await twoSuppliers();
  const session = await open(card, OTHER_SUPPLIER, OTHER_KEYS);
  const entries = await readRegistry(session, STATUS_SCOPE.APPLICATIONS);
  assert.deepEqual(
    entries.map((entry) => entry.aid),
    [OTHER_SUPPLIER],
  );
  assert.equal(await statusOf(session, getStatusCommand(STATUS_SCOPE.ISSUER_SECURITY_DOMAIN)), '6a88');
});

test('data objects are read in the domain that they were stored in only', async () => {
  const card = await twoSuppliers();
  const plain = plainLink(card.transmit);
  await select(card, OTHER_SUPPLIER);
  assert.equal(await statusOf(plain, getDataCommand(SECRET_TAG)), '6a88');
  await select(card, SUPPLIER);
  assert.equal(await statusOf(plain, getDataCommand(SECRET_TAG)), '9000');
});

test('a session belongs to its logical channel and its domain', async () => {
  const card = await twoSuppliers();
  const session = await open(card, SUPPLIER, KEYS);
  card.transmit(fromHex('0070000001'));
  const elsewhere = decodeApdu(fromHex('84F28002024F0000'));
  assert.equal(card.transmit(fromHex('85F28002024F0000')).length, 2);
  assert.notEqual((await plainLink(card.transmit).transmit({ ...elsewhere, cla: 0x85 })).sw, 0x9000);
  assert.equal(await statusOf(session, getStatusCommand(STATUS_SCOPE.APPLICATIONS)), '9000');
  await select(card, OTHER_SUPPLIER);
  assert.equal(await statusOf(session, getStatusCommand(STATUS_SCOPE.APPLICATIONS)), '6982');
});

test('keys of one domain cannot be put by a session with another', async () => {
  const card = await twoSuppliers();
  const issuer = await open(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
  await send(issuer, putKeysCommand(issuer, testKeys('issuer, new'), { newVersion: 0x31 }));
  await open(card, SUPPLIER, KEYS);
});

test('who may delete a load file takes nothing from others that was made from it', async () => {
  const tokenKey = testKeys('tokens').enc;
  const file = aid('F07365666C65657490');
  const applet = aid('F07365666C6565749001');
  const card = newCard();
  const issuer = await open(card);
  await send(issuer, putSymmetricKeyCommand(issuer, tokenKey, { newVersion: 0x70, keyId: 1 }));
  await makeDomain(card, OTHER_SUPPLIER, OTHER_KEYS);
  await makeDomain(card, SUPPLIER, KEYS, PRIVILEGE.DELEGATED_MANAGEMENT);
  const supplier = await open(card, SUPPLIER, KEYS);
  const delegated = (command: Parameters<typeof withToken>[0]) =>
    withToken(command, { kind: 'aes', key: tokenKey });
  const code = encodePackage(file, { version: fromHex('0100'), modules: [METERING_MODULE] });
  await send(supplier, delegated(installForLoadCommand({ loadFile: aidBytes(file) })));
  for (const command of loadCommands({ daps: [], code })) await send(supplier, command);
  const install = installCommand({
    loadFile: aidBytes(file),
    module: aidBytes(METERING_MODULE),
    instance: aidBytes(applet),
    privileges: 0,
    parameters: fromHex('c900'),
  });
  await send(supplier, delegated(install));
  const doomed = delegated(deleteCommand(aidBytes(file), { related: true }));
  const give = installForExtraditionCommand(aidBytes(OTHER_SUPPLIER), aidBytes(applet));
  await send(supplier, delegated(give));
  assert.equal(await statusOf(supplier, doomed), '6985');
  assert.ok(card.applications.includes(applet));
  await send(await open(card), deleteCommand(aidBytes(file), { related: true }));
  assert.ok(!card.applications.includes(applet), 'Global Delete reaches it');
});
