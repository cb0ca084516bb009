import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aidBytes,
  decodeApdu,
  encodeApdu,
  getDataCommand,
  openScp03Session,
  plainLink,
  storeDataCommands,
  transmitBytes,
} from '@sefleet/globalplatform';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import {
  ISSUER_KEYS,
  makeDomain,
  newCard,
  open,
  seededRng,
  select,
  send,
  SUPPLIER,
  testKeys,
} from '../testing/card-fixture.ts';

const OPEN_CHANNEL = fromHex('0070000001');

test('logical channels are opened, used beside each other and closed', () => {
  const card = newCard();
  assert.equal(toHex(card.transmit(fromHex('0070000001'))), '019000');
  assert.equal(toHex(card.transmit(fromHex('0070000001'))), '029000');
  assert.equal(toHex(card.transmit(fromHex('01A4040000'))).slice(-4), '9000');
  assert.equal(toHex(card.transmit(fromHex('81CA00CF00'))).slice(-4), '9000');
  assert.equal(toHex(card.transmit(fromHex('00708001'))), '9000');
  assert.equal(toHex(card.transmit(fromHex('81CA00CF00'))), '6881');
  for (let channel = 1; channel < 20; channel++) card.transmit(fromHex('0070000001'));
  assert.equal(toHex(card.transmit(fromHex('0070000001'))), '6a81');
  assert.equal(toHex(card.transmit(fromHex('C0CA00CF00'))).slice(-4), '9000', 'channel 4');
});

test('chained commands are one command, and a broken chain is none', async () => {
  const card = newCard();
  const whole = toHex(aidBytes(ISSUER_SECURITY_DOMAIN));
  assert.equal(toHex(card.transmit(fromHex(`10A4040004${whole.slice(0, 8)}`))), '9000');
  assert.equal(toHex(card.transmit(fromHex(`00A4040004${whole.slice(8)}`))).slice(-4), '9000');
  card.transmit(fromHex('10A40400021122'));
  assert.equal(toHex(card.transmit(fromHex('80CA00CF00'))), '6883');
});

test('a protected command may be cut up into a chain afterwards', async () => {
  const card = newCard();
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const whole = decodeApdu(apdu);
    if (whole.extended !== true) return card.transmit(apdu);
    for (let at = 0; ; at += 200) {
      const last = at + 200 >= whole.data.length;
      const { le: _, extended: __, ...part } = whole;
      const cla = last ? whole.cla : whole.cla | 0x10;
      const response = card.transmit(encodeApdu({ ...part, cla, data: whole.data.subarray(at, at + 200) }));
      if (last) return response;
      assert.equal(toHex(response), '9000');
    }
  };
  await select(card, ISSUER_SECURITY_DOMAIN);
  const session = await openScp03Session({ transmit, keys: ISSUER_KEYS, rng: seededRng('h') });
  const [first] = storeDataCommands(fromHex('5f5003aabbcc'), { format: 'ber-tlv' });
  assert.ok(first);
  await send(session, { ...first, data: fromHex('5f508201f4' + '5a'.repeat(500)) });
  assert.equal((await session.transmit(getDataCommand(0x5f50))).data.length, 505);
});

test('a response that does not fit is fetched with GET RESPONSE', async () => {
  const card = newCard();
  const session = await open(card);
  const value = '5f508201f4' + '5a'.repeat(500);
  for (const command of storeDataCommands(fromHex(value), { format: 'ber-tlv' }))
    await send(session, command);
  await select(card, ISSUER_SECURITY_DOMAIN);
  assert.equal(toHex(card.transmit(fromHex('80CA5F5000'))).slice(-4), '61f9');
  const plain = plainLink(card.transmit);
  assert.equal(toHex((await plain.transmit(getDataCommand(0x5f50))).data), value);
  const extended = await transmitBytes(plain, fromHex('80CA5F50000000'));
  assert.equal(toHex(extended.data), value);
  assert.equal(
    (await transmitBytes(plain, fromHex('80CA00CF05'))).data.length,
    12,
    'a short Le is followed, too',
  );
});

test('a channel opened on the basic one starts with the issuer, on another one with what is selected', async () => {
  const card = newCard();
  await makeDomain(card, SUPPLIER, testKeys('supplier'));
  assert.equal(toHex(card.transmit(OPEN_CHANNEL)), '019000');
  const aid = `08${SUPPLIER}`;
  const selected = (cla: string): string => toHex(card.transmit(fromHex(`${cla}CA2F0000`))).slice(0, -4);
  assert.notEqual(selected('81'), '2f0000', 'the issuer has a domain below it');
  card.transmit(fromHex(`01A40400${aid}`));
  assert.equal(toHex(card.transmit(fromHex('0170000001'))), '029000');
  assert.equal(selected('82'), '2f0000', 'the supplier has none');
  assert.equal(toHex(card.transmit(OPEN_CHANNEL)), '039000');
  assert.notEqual(selected('83'), '2f0000');
});

test('MANAGE CHANNEL leaves a session that is being opened, and all else on its channel', async () => {
  const card = newCard();
  await select(card, ISSUER_SECURITY_DOMAIN);
  let opened = 0;
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const response = card.transmit(apdu);
    const number = card.transmit(OPEN_CHANNEL)[0] ?? 0;
    opened++;
    assert.equal(toHex(card.transmit(Uint8Array.of(0x00, 0x70, 0x80, number))), '9000');
    return response;
  };
  const session = await openScp03Session({ transmit, keys: ISSUER_KEYS, rng: seededRng('h') });
  for (const command of storeDataCommands(fromHex('5f508201f4' + '5a'.repeat(500)), { format: 'ber-tlv' }))
    await send(session, command);
  assert.equal((await session.transmit(getDataCommand(0x5f50))).data.length, 505, 'over GET RESPONSE');
  assert.ok(opened > 6);

  const issuer = toHex(aidBytes(ISSUER_SECURITY_DOMAIN));
  assert.equal(toHex(transmit(fromHex(`10A4040004${issuer.slice(0, 8)}`))), '9000');
  assert.equal(toHex(transmit(fromHex(`00A4040004${issuer.slice(8)}`))).slice(-4), '9000', 'a chain goes on');
});

test('any other command between INITIALIZE UPDATE and EXTERNAL AUTHENTICATE ends the opening', async () => {
  const card = newCard();
  await select(card, ISSUER_SECURITY_DOMAIN);
  const transmit = (apdu: Uint8Array): Uint8Array => {
    const response = card.transmit(apdu);
    if (apdu[1] === 0x50) card.transmit(fromHex('80CA00CF00'));
    return response;
  };
  await assert.rejects(openScp03Session({ transmit, keys: ISSUER_KEYS, rng: seededRng('h') }), {
    code: 'GP_STATUS_WORD',
  });
  assert.equal((await open(card)).level, 0x33);
});
