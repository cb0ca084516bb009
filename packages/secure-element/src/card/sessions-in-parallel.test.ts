/** What a session on one logical channel may still do when another one has changed what it stands on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  classForChannel,
  decodeCertificate,
  deleteCommand,
  deleteKeyCommand,
  expectStatus,
  getDataCommand,
  getStatusCommand,
  installForExtraditionCommand,
  installForLoadCommand,
  installForPersonalizationCommand,
  loadCommands,
  manageChannelCommand,
  openScp03Session,
  plainLink,
  putKeysCommand,
  putSymmetricKeyCommand,
  readScenario3Challenge,
  Scenario3Agreement,
  scenario3CertificateCommand,
  SCENARIO3_PARAMETER,
  selectCommand,
  SET_STATUS_SCOPE,
  setStatusCommand,
  STATUS_SCOPE,
  storeDataCommands,
  withToken,
} from '@sefleet/globalplatform';
import type { Aid, CommandApdu, SecureChannelSession, StaticKeys, Transmit } from '@sefleet/globalplatform';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import { encodePackage } from '../applets/package.ts';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import { tariffCommands } from '../clients/measuring-owner.ts';
import {
  cardWithApplet,
  installDomain,
  ISSUER_KEYS,
  makeDomain,
  newCard,
  open,
  OTHER_SUPPLIER,
  seededRng,
  select,
  send,
  sendAll,
  statusOf,
  SUPPLIER,
  testKeys,
} from '../testing/card-fixture.ts';
import {
  AUTHORITY,
  meterInTheField,
  NEW_SUPPLIER,
  NEW_SUPPLIER_CERTIFICATE,
  PARTIES,
  TSM,
} from '../testing/switch-fixture.ts';
import { exportCard, importCard } from './create-card.ts';
import type { SecureElement } from './secure-element.ts';

const KEYS = testKeys('supplier');
const THEIRS = testKeys('intruder');
const LOAD_FILE = aid('F07365666C656574F2');
const OTHER_LOAD_FILE = aid('F07365666C656574F3');

/** A channel of its own with `domain` selected on it. */
async function newChannel(card: SecureElement, domain: Aid): Promise<number> {
  const link = plainLink(card.transmit);
  const [channel = 0] = (await expectStatus(link, manageChannelCommand(), 'MANAGE CHANNEL')).data;
  const command = selectCommand(aidBytes(domain));
  await expectStatus(link, { ...command, cla: classForChannel(command.cla, channel) }, 'SELECT');
  return channel;
}

/** A session with `domain` on a channel of its own. */
async function openBeside(
  card: SecureElement,
  domain: Aid,
  keys: StaticKeys,
  transmit: Transmit = card.transmit,
): Promise<SecureChannelSession> {
  const channel = await newChannel(card, domain);
  return openScp03Session({ transmit, keys, channel, rng: seededRng('beside'), domainAid: aidBytes(domain) });
}

function isRefused(status: string): boolean {
  return status === '6982' || status === '6985';
}

const STORE = storeDataCommands(fromHex('5f500101'), { format: 'ber-tlv' });

test('a session under inherited keys changes nothing in a domain that has got keys of its own meanwhile', async () => {
  const card = newCard();
  await send(await open(card), installDomain(SUPPLIER));
  const waiting = await openBeside(card, SUPPLIER, ISSUER_KEYS);
  const owner = await open(card, SUPPLIER);
  await send(owner, putKeysCommand(owner, KEYS, { newVersion: 1 }));
  const before = exportCard(card);
  const attempts: readonly CommandApdu[] = [
    putKeysCommand(waiting, THEIRS, { oldVersion: 1, newVersion: 1 }),
    putKeysCommand(waiting, THEIRS, { newVersion: 2 }),
    ...STORE,
    setStatusCommand(SET_STATUS_SCOPE.APPLICATION, 0x8f, aidBytes(SUPPLIER)),
    deleteKeyCommand({ keyVersion: 1 }),
  ];
  for (const command of attempts) assert.ok(isRefused(await statusOf(waiting, command)), String(command.ins));
  assert.deepEqual(exportCard(card), before);
  await open(card, SUPPLIER, KEYS);
});

test('a host that gave a domain its first keys goes on with it, until somebody replaces them', async () => {
  const card = newCard();
  await send(await open(card), installDomain(SUPPLIER));
  const maker = await openBeside(card, SUPPLIER, ISSUER_KEYS);
  await send(maker, putKeysCommand(maker, KEYS, { newVersion: 1 }));
  await sendAll(maker, STORE);
  await send(maker, putSymmetricKeyCommand(maker, KEYS.enc, { newVersion: 0x73, keyId: 1 }));
  const owner = await open(card, SUPPLIER, KEYS);
  await send(owner, putKeysCommand(owner, testKeys('next'), { oldVersion: 1, newVersion: 2 }));
  const before = exportCard(card);
  for (const command of [putKeysCommand(maker, THEIRS, { newVersion: 3 }), ...STORE])
    assert.equal(await statusOf(maker, command), '6982');
  assert.deepEqual(exportCard(card), before);
});

test('a manager that carries an agreement through a session of its own gets no more than that', async () => {
  const card = await meterInTheField();
  const { tsm, issuer, newSupplier } = PARTIES;
  await send(await open(card, TSM, tsm.keys), withToken(installDomain(NEW_SUPPLIER), issuer.tokenKey));
  await select(card, AUTHORITY);
  const certificate = await send(plainLink(card.transmit), getDataCommand(0x7f21));
  const carrier = await open(card, NEW_SUPPLIER, tsm.keys);
  const challenge = readScenario3Challenge(
    await send(carrier, scenario3CertificateCommand(NEW_SUPPLIER_CERTIFICATE)),
  );
  const agreement = new Scenario3Agreement({
    parameters: { parameter: SCENARIO3_PARAMETER.CERTIFICATE, keyVersion: 2, keyId: 1, keyLength: 16 },
    signingKey: newSupplier.signingKey,
    authorityDomainPoint: decodeCertificate(certificate).publicKey,
    ephemeralScalar: seededRng('ephemeral').bytes(32),
  });
  const agreed = agreement.finish(await send(carrier, agreement.command(challenge)));
  const before = exportCard(card);
  for (const command of [
    putKeysCommand(carrier, THEIRS, { newVersion: 3 }),
    putKeysCommand(carrier, THEIRS, { oldVersion: 2, newVersion: 2 }),
    ...STORE,
  ])
    assert.equal(await statusOf(carrier, command), '6985');
  assert.deepEqual(exportCard(card), before);
  await open(card, NEW_SUPPLIER, agreed, { keyVersion: 2 });
});

for (const change of ['replaced', 'deleted'] as const) {
  test(`keys that were ${change} end the sessions that they opened on other channels, and those half open`, async () => {
    const card = newCard();
    await makeDomain(card, SUPPLIER, KEYS);
    const old = await openBeside(card, SUPPLIER, KEYS);
    const act = async (): Promise<void> => {
      const owner = await open(card, SUPPLIER, KEYS);
      if (change === 'deleted') await send(owner, deleteKeyCommand({ keyVersion: 1 }));
      else await send(owner, putKeysCommand(owner, testKeys('next'), { oldVersion: 1, newVersion: 2 }));
      // The session by which it was done goes on.
      if (change === 'replaced') await sendAll(owner, STORE);
    };
    let between = 0;
    const halfOpen = openBeside(card, SUPPLIER, KEYS, async (apdu) => {
      if (apdu[1] === 0x82 && between++ === 0) await act();
      return card.transmit(apdu);
    });
    await assert.rejects(halfOpen, { code: 'GP_STATUS_WORD' });
    assert.equal(between, 1);
    assert.equal((await old.transmit(getStatusCommand(STATUS_SCOPE.APPLICATIONS))).sw, 0x6982);
  });
}

test('who may personalise an application may no longer when it has gone to another domain', async () => {
  const place = {
    loadFile: METERING_LOAD_FILE,
    module: METERING_MODULE,
    instance: aid('F07365666C65657401AA'),
  };
  const card = await cardWithApplet(place, KEYS);
  await makeDomain(card, OTHER_SUPPLIER, testKeys('other'));
  const owner = await openBeside(card, SUPPLIER, KEYS);
  await send(owner, installForPersonalizationCommand(aidBytes(place.instance)));
  await send(
    await open(card),
    installForExtraditionCommand(aidBytes(OTHER_SUPPLIER), aidBytes(place.instance)),
  );
  const before = exportCard(card);
  const tariff = tariffCommands(aidBytes(place.instance), {
    offsetMinutes: 0,
    switches: [{ days: 0x7f, minute: 0, rate: 1 }],
  });
  for (const command of tariff.slice(1)) assert.equal(await statusOf(owner, command), '6985');
  assert.deepEqual(exportCard(card), before);
});

test('a domain that is locked takes neither keys nor data from a session that was open before', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, KEYS);
  const owner = await openBeside(card, SUPPLIER, KEYS);
  const issuer = await open(card);
  await send(issuer, setStatusCommand(SET_STATUS_SCOPE.APPLICATION, 0x80, aidBytes(SUPPLIER)));
  const before = exportCard(card);
  for (const command of [
    putKeysCommand(owner, THEIRS, { newVersion: 2 }),
    deleteKeyCommand({ keyVersion: 1 }),
    ...STORE,
  ])
    assert.equal(await statusOf(owner, command), '6985');
  assert.deepEqual(exportCard(card), before);
});

test('two loads of one load file at once leave it there once, and the card can be imported', async () => {
  const card = newCard();
  const code = encodePackage(LOAD_FILE, { version: fromHex('0100'), modules: [] });
  const first = await openBeside(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
  const second = await openBeside(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
  const third = await openBeside(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
  for (const session of [first, second, third])
    await send(session, installForLoadCommand({ loadFile: aidBytes(LOAD_FILE) }));
  await sendAll(first, loadCommands({ daps: [], code }));
  for (const command of loadCommands({ daps: [], code }))
    assert.equal(await statusOf(second, command), '6a80');
  // An application of that name stands in the way as well.
  await send(await open(card), deleteCommand(aidBytes(LOAD_FILE)));
  await send(await open(card), installDomain(LOAD_FILE));
  for (const command of loadCommands({ daps: [], code }))
    assert.equal(await statusOf(third, command), '6a80');
  importCard(exportCard(card), { rng: seededRng('again') });
});

test('a load file whose domain was deleted on the way is not loaded', async () => {
  const card = newCard();
  await send(await open(card), installDomain(SUPPLIER));
  const loading = await openBeside(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS);
  const code = encodePackage(OTHER_LOAD_FILE, { version: fromHex('0100'), modules: [] });
  const names = { loadFile: aidBytes(OTHER_LOAD_FILE), securityDomain: aidBytes(SUPPLIER) };
  await send(loading, installForLoadCommand(names));
  await send(await open(card), deleteCommand(aidBytes(SUPPLIER)));
  for (const command of loadCommands({ daps: [], code }))
    assert.equal(await statusOf(loading, command), '6985');
  importCard(exportCard(card), { rng: seededRng('again') });
});
