import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  aesKeyCheckValue,
  checkPutKeyResponse,
  DATA_OBJECT,
  decodeFileControlInformation,
  deleteCommand,
  deleteKeyCommand,
  getDataCommand,
  getStatusCommand,
  plainLink,
  openScp03Session,
  putKeysCommand,
  readKeyInformation,
  readRegistry,
  SECURITY_DOMAIN_LIFE_CYCLE,
  selectCommand,
  STATUS_SCOPE,
  storeDataCommands,
} from '@sefleet/globalplatform';
import { isSefleetError } from '@sefleet/errors';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import {
  installDomain,
  ISSUER_KEYS,
  makeDomain,
  newCard,
  open,
  seededRng,
  select,
  send,
  statusOf,
  SUPPLIER,
  testKeys,
} from '../testing/card-fixture.ts';

const SUPPLIER_KEYS = testKeys('supplier');

test('SELECT answers the file control information of the issuer, by full, partial and empty AID', async () => {
  const card = newCard();
  const full = await select(card, ISSUER_SECURITY_DOMAIN);
  assert.equal(toHex(decodeFileControlInformation(full).aid), ISSUER_SECURITY_DOMAIN);
  assert.equal(toHex(card.transmit(fromHex('00A4040003A00000'))), toHex(full) + '9000');
  assert.equal(toHex(card.transmit(fromHex('00A4040000'))), toHex(full) + '9000');
  assert.equal(toHex(card.transmit(fromHex('00A4040007D0D1D2D3D4D501'))), '6a82');
});

for (const level of [0x01, 0x03, 0x11, 0x13, 0x33] as const) {
  test(`a stakeholder's domain is made, keyed and read at level ${level.toString(16)}`, async () => {
    const card = newCard();
    const issuer = await open(card, ISSUER_SECURITY_DOMAIN, ISSUER_KEYS, { level });
    assert.equal(toHex(await send(issuer, installDomain(SUPPLIER))), '00');
    const inherited = await open(card, SUPPLIER, ISSUER_KEYS, { level });
    assert.deepEqual(await readKeyInformation(inherited), []);
    const response = await send(inherited, putKeysCommand(inherited, SUPPLIER_KEYS, { newVersion: 1 }));
    checkPutKeyResponse(response, 1, [SUPPLIER_KEYS.enc, SUPPLIER_KEYS.mac, SUPPLIER_KEYS.dek]);
    const own = await open(card, SUPPLIER, SUPPLIER_KEYS, { level, keyVersion: 1 });
    const [entry] = await readRegistry(own, STATUS_SCOPE.APPLICATIONS);
    assert.equal(entry?.aid, SUPPLIER);
    assert.equal(entry?.lifeCycle, SECURITY_DOMAIN_LIFE_CYCLE.PERSONALIZED);
    assert.deepEqual(
      (await readKeyInformation(own)).map((key) => [key.keyVersion, key.keyId]),
      [
        [1, 1],
        [1, 2],
        [1, 3],
      ],
    );
  });
}

test('a domain with keys of its own no longer opens to the keys above it', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, SUPPLIER_KEYS);
  await assert.rejects(open(card, SUPPLIER, ISSUER_KEYS), (error) =>
    isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC'),
  );
  await select(card, SUPPLIER);
  assert.equal(toHex(card.transmit(fromHex('8050300008010203040506070800'))), '6a88');
});

test('replaced keys are dead for the next session, while the session that replaced them goes on', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, SUPPLIER_KEYS);
  const session = await open(card, SUPPLIER, SUPPLIER_KEYS);
  const next = testKeys('supplier, second year');
  await send(session, putKeysCommand(session, next, { oldVersion: 1, newVersion: 2, encoding: 'bare' }));
  assert.equal(await statusOf(session, getDataCommand(DATA_OBJECT.KEY_INFORMATION)), '9000');
  await assert.rejects(open(card, SUPPLIER, SUPPLIER_KEYS), (error) =>
    isSefleetError(error, 'GP_CARD_NOT_AUTHENTIC'),
  );
  await assert.rejects(open(card, SUPPLIER, SUPPLIER_KEYS, { keyVersion: 1 }), (error) =>
    isSefleetError(error, 'GP_STATUS_WORD'),
  );
  await open(card, SUPPLIER, next, { keyVersion: 2 });
});

test('after its keys are deleted a personalised domain does not fall back to the keys above it', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, SUPPLIER_KEYS);
  await send(await open(card, SUPPLIER, SUPPLIER_KEYS), deleteKeyCommand({ keyVersion: 1 }));
  await select(card, SUPPLIER);
  assert.equal(toHex(card.transmit(fromHex('8050000008010203040506070800'))), '6a88');
});

test('GET DATA answers what the host asks of a card, and 6A88 to the rest', async () => {
  const link = plainLink(newCard().transmit);
  const data = async (tag: number): Promise<string> => toHex((await link.transmit(getDataCommand(tag))).data);
  assert.equal(await data(0x0042), '420449440123');
  assert.equal(await data(0x0045), '45080000000000000001');
  assert.match(await data(0x0066), /^66..73..06072a864886fc6b01/);
  assert.match(await data(0x0067), /^67/);
  assert.equal(await data(0x00e0), 'e012c00401308810c00402308810c00403308810');
  assert.equal(await data(0x00c1), 'c103000000');
  assert.equal(await data(0x00cf), 'cf0a00010203040506070809');
  assert.match(await data(0x9f7f), /^9f7f2a/);
  assert.equal(await statusOf(link, getDataCommand(0x5f50)), '6a88');
});

test('STORE DATA writes data objects that GET DATA reads', async () => {
  const card = newCard();
  const session = await open(card);
  for (const command of storeDataCommands(fromHex('4203aabbcc'), { format: 'ber-tlv' }))
    await send(session, command);
  assert.equal(toHex((await plainLink(card.transmit).transmit(getDataCommand(0x42))).data), '');
  assert.equal(toHex((await session.transmit(getDataCommand(0x42))).data), '');
  const again = plainLink(card.transmit);
  await again.transmit(selectCommand(aidBytes(ISSUER_SECURITY_DOMAIN)));
  assert.equal(toHex((await again.transmit(getDataCommand(0x42))).data), '4203aabbcc');
});

test('DELETE removes a domain; one with something in it only with what belongs to it', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, SUPPLIER_KEYS);
  const issuer = await open(card);
  assert.equal(await statusOf(issuer, deleteCommand(aidBytes(ISSUER_SECURITY_DOMAIN))), '6985');
  assert.equal(await statusOf(issuer, deleteCommand(aidBytes(aid('D0D1D2D3D4D5')))), '6a88');
  assert.equal(toHex(await send(issuer, deleteCommand(aidBytes(SUPPLIER)))), '00');
  assert.deepEqual(await readRegistry(issuer, STATUS_SCOPE.APPLICATIONS), []);
});

test('GET STATUS pages with 6310 and lists load files with their modules', async () => {
  const card = newCard();
  const issuer = await open(card);
  for (let i = 0; i < 12; i++) await send(issuer, installDomain(aid(`A0000001515350410${i.toString(16)}FF`)));
  assert.equal(await statusOf(issuer, getStatusCommand(STATUS_SCOPE.APPLICATIONS)), '6310');
  const domains = await readRegistry(issuer, STATUS_SCOPE.APPLICATIONS);
  assert.equal(domains.length, 12);
  const files = await readRegistry(issuer, STATUS_SCOPE.LOAD_FILES_AND_MODULES);
  assert.ok(files.every((file) => (file.modules?.length ?? 0) > 0));
});

test('content commands without a session, and plain ones inside of a session, are refused with 6982', async () => {
  const card = newCard();
  await select(card, ISSUER_SECURITY_DOMAIN);
  const plain = plainLink(card.transmit);
  assert.equal(await statusOf(plain, getStatusCommand(STATUS_SCOPE.APPLICATIONS)), '6982');
  const session = await open(card);
  assert.equal(await statusOf(plain, getStatusCommand(STATUS_SCOPE.ISSUER_SECURITY_DOMAIN)), '6982');
  assert.equal(await statusOf(session, getStatusCommand(STATUS_SCOPE.ISSUER_SECURITY_DOMAIN)), '6982');
});

test('PUT KEY with a wrong check value changes nothing', async () => {
  const card = newCard();
  const session = await open(card);
  const before = card.revision;
  const command = putKeysCommand(session, testKeys('new'), { newVersion: 0x31 });
  const data = command.data.slice();
  data[data.length - 1] = (data.at(-1) ?? 0) ^ 1;
  assert.equal(await statusOf(session, { ...command, data }), '9485');
  assert.equal(card.revision, before);
  assert.equal(aesKeyCheckValue(testKeys('new').dek).length, 3);
});

test('what a card stores is its own, although the caller hands in a Buffer and uses it again', async () => {
  const card = newCard();
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const reused = Buffer.from(apdu);
    const response = card.transmit(reused);
    reused.fill(0xee);
    return response;
  };
  const link = plainLink(transmit);
  await link.transmit(selectCommand(aidBytes(ISSUER_SECURITY_DOMAIN)));
  const session = await openScp03Session({ transmit, keys: ISSUER_KEYS, rng: seededRng('h'), level: 0x01 });
  for (const command of storeDataCommands(fromHex('5f5003aabbcc'), { format: 'ber-tlv' }))
    await send(session, command);
  assert.equal(toHex((await session.transmit(getDataCommand(0x5f50))).data), '5f5003aabbcc');
});
