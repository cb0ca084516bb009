import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aidBytes,
  expectStatus,
  getDataCommand,
  plainLink,
  selectCommand,
  storeDataCommands,
} from '@sefleet/globalplatform';
import type { SecurityLevel } from '@sefleet/globalplatform';
import { IOT_SAFE_INSTANCE, IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '../applets/iot-safe/identifiers.ts';
import { IotSafeClient } from '../clients/iot-safe-client.ts';
import { iotSafePersonalisationCommands } from '../clients/iot-safe-personalisation.ts';
import { cardWithApplet, newCard, open, sendAll, SUPPLIER, testKeys } from '../testing/card-fixture.ts';
import { SecretMask } from './secret-mask.ts';
import type { ShownExchange } from './secret-mask.ts';

/** A door to `card` that keeps what the mask shows of each exchange, and what really passed. */
function watched(card: { transmit(apdu: Uint8Array): Uint8Array }) {
  const mask = new SecretMask();
  const shown: ShownExchange[] = [];
  const real: { command: Uint8Array; response: Uint8Array }[] = [];
  const transmit = (command: Uint8Array): Uint8Array => {
    const response = card.transmit(command);
    shown.push(mask.show(command, response));
    real.push({ command, response });
    return response;
  };
  const seen = (): string => shown.map((one) => `${toHex(one.command)} ${toHex(one.response)}`).join('\n');
  return { transmit, shown, real, seen };
}

test('SELECT, GET DATA and the opening of a session are shown whole', async () => {
  const door = watched(newCard());
  const session = await open(door);
  await session.transmit(getDataCommand(0x66));
  for (const [i, { command, response }] of door.real.entries()) {
    assert.deepEqual(door.shown[i], { command, hiddenCommandBytes: 0, response, hiddenResponseBytes: 0 });
  }
  assert.ok(door.real.length >= 4);
});

test('what a session enciphers stays enciphered; what it only authenticates is left out', async () => {
  const secret = 'a1a2a3a4a5a6a7a8a9';
  for (const [level, hidden] of [
    [0x33, 0],
    [0x03, 0],
    [0x01, 1],
    [0x11, 1],
  ] as const satisfies readonly (readonly [SecurityLevel, number])[]) {
    const door = watched(newCard());
    const session = await open(door, undefined, undefined, { level });
    await sendAll(session, storeDataCommands(fromHex(`5f5009${secret}`), { format: 'ber-tlv' }));
    const last = door.shown.at(-1);
    assert.equal((last?.hiddenCommandBytes ?? 0) > 0 ? 1 : 0, hidden, `level ${level}`);
    assert.equal(last?.command.length === 4 ? 1 : 0, hidden);
    assert.ok(!door.seen().includes(secret));
  }
});

test('a session that began before anybody looked counts as clear', async () => {
  const door = watched(newCard());
  const session = await open(door);
  await sendAll(session, storeDataCommands(fromHex('5f5001aa'), { format: 'ber-tlv' }));
  const last = door.real.at(-1);
  assert.ok(last);
  assert.deepEqual(door.shown.at(-1)?.command, last.command);
  assert.deepEqual(new SecretMask().show(last.command, last.response).command, last.command.subarray(0, 4));
});

test('master secrets and shared secrets are left out, also when GET RESPONSE brings them', async () => {
  const keys = testKeys('supplier');
  const card = await cardWithApplet(
    { loadFile: IOT_SAFE_LOAD_FILE, module: IOT_SAFE_MODULE, instance: IOT_SAFE_INSTANCE },
    keys,
  );
  const psk = fromHex('00112233445566778899aabbccddeeff');
  const owner = await open(card, SUPPLIER, keys);
  await sendAll(
    owner,
    iotSafePersonalisationCommands(owner, aidBytes(IOT_SAFE_INSTANCE), [
      { kind: 'secret', id: Uint8Array.of(1), label: 'psk', value: psk },
    ]),
  );
  const door = watched(card);
  const client = new IotSafeClient(door.transmit);
  const secret = client.masterSecret(Uint8Array.of(1), {
    label: 'master secret',
    seed: new Uint8Array(64),
  });
  assert.equal(secret.length, 48);
  assert.ok(!door.seen().includes(toHex(secret)));
  const [prf] = door.shown.filter(({ command }) => command[1] === 0x48);
  assert.ok(prf !== undefined && prf.hiddenResponseBytes === 48 && prf.hiddenCommandBytes > 64);

  // The same, cut by Le: the rest comes by GET RESPONSE.
  const whole = door.real.find(({ command }) => command[1] === 0x48);
  assert.ok(whole);
  const short = whole.command.slice();
  short[short.length - 1] = 8;
  const first = door.transmit(short);
  assert.equal(first.length, 10);
  const rest = door.transmit(fromHex('01c0000000'));
  assert.equal(toHex(rest.subarray(0, -2)), toHex(secret.subarray(8)));
  assert.equal(door.shown.at(-1)?.hiddenResponseBytes, 40);
  assert.ok(!door.seen().includes(toHex(secret.subarray(8))));
});

test('a refused command and SELECT end what was known of the session', async () => {
  const door = watched(newCard());
  const session = await open(door);
  // A command without its MAC closes the session.
  assert.equal(toHex(door.transmit(fromHex('84e2900003aabbcc'))), '6982');
  assert.equal(toHex(door.transmit(fromHex('84e2900003aabbcc'))), '6982');
  assert.equal(door.shown.at(-1)?.command.length, 4);
  assert.ok(session);
  await expectStatus(plainLink(door.transmit), selectCommand(new Uint8Array(0)), 'SELECT');
  door.transmit(fromHex('84e2900003aabbcc'));
  assert.equal(door.shown.at(-1)?.hiddenCommandBytes, 3);
});

test('PINs, personalisation in the clear and what is no APDU are left out', () => {
  const mask = new SecretMask();
  for (const command of ['0020000004 31323334', '80e2900003 aabbcc', '00', '00200000ff3132', 'ff01020304']) {
    const shown = mask.show(fromHex(command), fromHex('6d00'));
    assert.ok(shown.command.length <= 4);
    assert.deepEqual(shown.response, fromHex('6d00'));
  }
  // A file may hold a pre-shared key for bootstrap.
  const file = mask.show(fromHex('00b0000010'), fromHex('000102030405060708090a0b0c0d0e0f9000'));
  assert.deepEqual([file.hiddenCommandBytes, file.hiddenResponseBytes], [0, 16]);
  assert.equal(toHex(file.response), '9000');
});
