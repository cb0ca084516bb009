import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  deleteCommand,
  installCommand,
  installForRegistryUpdateCommand,
  PRIVILEGE,
  readRegistry,
  SET_STATUS_SCOPE,
  setStatusCommand,
  STATUS_SCOPE,
} from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { METERING_LOAD_FILE, METERING_MODULE } from '../applets/metering/identifiers.ts';
import type { SecureElement } from '../card/secure-element.ts';
import { newCard, open, send, statusOf } from '../testing/card-fixture.ts';

const FIRST = aid('F07365666C6565740101');
const SECOND = aid('F07365666C6565740102');

function install(instance: Aid, privileges: number, p1: 0x04 | 0x08 | 0x0c = 0x0c) {
  return installCommand({
    loadFile: aidBytes(METERING_LOAD_FILE),
    module: aidBytes(METERING_MODULE),
    instance: aidBytes(instance),
    privileges,
    parameters: fromHex('c900'),
    p1,
  });
}

/** True when the issuer answers after a reset: applets know no GET DATA. */
function issuerIsSelected(card: SecureElement): boolean {
  card.reset();
  return toHex(card.transmit(fromHex('80CA00CF00'))).endsWith('9000');
}

async function holders(card: SecureElement): Promise<readonly Aid[]> {
  const issuer = await open(card);
  const all = [
    ...(await readRegistry(issuer, STATUS_SCOPE.ISSUER_SECURITY_DOMAIN)),
    ...(await readRegistry(issuer, STATUS_SCOPE.APPLICATIONS)),
  ];
  return all.filter((entry) => ((entry.privileges ?? 0) & PRIVILEGE.CARD_RESET) !== 0).map(({ aid }) => aid);
}

test('an application with Card Reset is selected after a reset, and the issuer without an AID', async () => {
  const card = newCard();
  assert.ok(issuerIsSelected(card));
  await send(await open(card), install(FIRST, PRIVILEGE.CARD_RESET));
  assert.deepEqual(await holders(card), [FIRST]);
  assert.ok(!issuerIsSelected(card));
  card.transmit(fromHex('0070000001'));
  assert.equal(toHex(card.transmit(fromHex('81CA00CF00'))).endsWith('9000'), false, 'nor on a new channel');
  assert.match(toHex(card.transmit(fromHex('00A4040000'))), /a000000151000000.*9000$/u);
});

test('Card Reset is handed over by the issuer only, and comes back with the deletion of who has it', async () => {
  const card = newCard();
  const issuer = await open(card);
  await send(issuer, install(FIRST, PRIVILEGE.CARD_RESET));
  assert.equal(await statusOf(issuer, install(SECOND, PRIVILEGE.CARD_RESET)), '6a80');
  await send(issuer, deleteCommand(aidBytes(FIRST)));
  assert.ok(issuerIsSelected(card));
  assert.equal((await holders(card)).length, 1);
});

test('INSTALL [for make selectable] makes an application the default one, selectable already or not', async () => {
  for (const first of [0x04, 0x0c] as const) {
    const card = newCard();
    const issuer = await open(card);
    await send(issuer, install(FIRST, 0, first));
    assert.equal(await statusOf(issuer, install(FIRST, PRIVILEGE.GLOBAL_DELETE, 0x08)), '6a80');
    await send(issuer, install(FIRST, PRIVILEGE.CARD_RESET, 0x08));
    assert.deepEqual(await holders(card), [FIRST]);
    assert.ok(!issuerIsSelected(card));
  }
});

test('a registry update gives Card Reset and takes it', async () => {
  const card = newCard();
  const issuer = await open(card);
  await send(issuer, install(FIRST, 0));
  const update = (privileges: string) =>
    installForRegistryUpdateCommand({ application: aidBytes(FIRST), privileges: fromHex(privileges) });
  await send(issuer, update('040000'));
  assert.ok(!issuerIsSelected(card));
  await send(await open(card), update('000000'));
  assert.ok(issuerIsSelected(card));
  assert.equal((await holders(card)).length, 1);
});

test('while the default application or the card is locked, the issuer is selected', async () => {
  const card = newCard();
  await send(await open(card), install(FIRST, PRIVILEGE.CARD_RESET));
  const lock = setStatusCommand(SET_STATUS_SCOPE.APPLICATION, 0x80, aidBytes(FIRST));
  await send(await open(card), lock);
  assert.ok(issuerIsSelected(card));
  await send(await open(card), { ...lock, p2: 0x07 });
  assert.ok(!issuerIsSelected(card));
  await send(await open(card), setStatusCommand(SET_STATUS_SCOPE.CARD, 0x7f));
  assert.ok(issuerIsSelected(card));
});
