import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSefleetError } from '@sefleet/errors';
import { aidBytes } from '@sefleet/globalplatform';
import { exportCard, importCard } from '../../card/create-card.ts';
import { ownerStatusCommand, readMeterRegisters, tariffCommands } from '../../clients/measuring-owner.ts';
import { RecordsClient } from '../../clients/records-client.ts';
import { open, seededRng, send, sendAll, SUPPLIER } from '../../testing/card-fixture.ts';
import type { CardDoor } from '../../testing/card-fixture.ts';
import {
  MEASURING_INSTANCE,
  measuringCard,
  openOnApplet,
  OWNER_KEYS,
} from '../../testing/measuring-fixture.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from './identifiers.ts';
import type { Tariff } from './tariff.ts';

const CODE = { loadFile: METERING_LOAD_FILE, module: METERING_MODULE };
const HOUR_MS = 3_600_000;
const MONDAY = Date.UTC(2026, 0, 5);
/** Rate 1 from 6 to 22 by UTC, rate 2 at night. */
const TARIFF: Tariff = {
  offsetMinutes: 0,
  switches: [
    { days: 0x7f, minute: 360, rate: 1 },
    { days: 0x7f, minute: 1320, rate: 2 },
  ],
};

async function meterWithTariff() {
  const card = await measuringCard(CODE);
  await sendAll(await open(card, SUPPLIER, OWNER_KEYS), tariffCommands(aidBytes(MEASURING_INSTANCE), TARIFF));
  const client = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  const read = (hours: number, wh: number): Uint8Array =>
    client.seal({ timestampMs: MONDAY + hours * HOUR_MS, values: [[1, wh]] });
  return { card, read };
}

async function registersOf(card: CardDoor) {
  const status = await send(await openOnApplet(card), ownerStatusCommand());
  return readMeterRegisters(status) ?? assert.fail('the owner sees its registers');
}

test('consumption is booked to the rate that was in force since the reading before', async () => {
  const { card, read } = await meterWithTariff();
  read(0, 1000);
  read(5, 1050);
  read(6, 1060);
  read(8, 1160);
  read(22, 1300);
  read(23, 1330);
  const { totals, ratesWh, sinceWh } = await registersOf(card);
  assert.deepEqual([totals.get(1), sinceWh], [1330, 1000]);
  assert.deepEqual([ratesWh.get(1), ratesWh.get(2)], [240, 90]);
});

test('a reading over a switching time is shared out by time, and nothing is lost to rounding', async () => {
  const { card, read } = await meterWithTariff();
  read(4, 0);
  read(7, 10);
  assert.deepEqual(
    (await registersOf(card)).ratesWh.get(1),
    4,
    'the third of an hour and what was left over',
  );
  assert.deepEqual((await registersOf(card)).ratesWh.get(2), 6);
});

test('the rates add up to the total and only grow, whatever is read when, over export and import', async () => {
  const readings = fc.array(
    fc.record({ minutes: fc.integer({ min: -120, max: 20_000 }), wh: fc.nat(5000) }),
    { maxLength: 12 },
  );
  await fc.assert(
    fc.asyncProperty(readings, async (steps) => {
      const { card } = await meterWithTariff();
      const moved = importCard(exportCard(card), { rng: seededRng('elsewhere') });
      const client = new RecordsClient(moved.transmit, MEASURING_INSTANCE);
      let [atMs, totalWh] = [MONDAY, 0];
      let before = (await registersOf(moved)).ratesWh;
      for (const { minutes, wh } of [{ minutes: 0, wh: 0 }, ...steps]) {
        [atMs, totalWh] = [atMs + minutes * 60_000, totalWh + wh];
        client.seal({ timestampMs: atMs, values: [[1, totalWh]] });
        moved.park();
        const { ratesWh, totals, sinceWh = 0 } = await registersOf(moved);
        const sum = [...ratesWh.values()].reduce((all, one) => all + one, 0);
        assert.equal(sum, (totals.get(1) ?? 0) - sinceWh);
        for (const [rate, value] of ratesWh) assert.ok(value >= (before.get(rate) ?? 0));
        before = ratesWh;
      }
    }),
    { numRuns: 30 },
  );
});

test('a new tariff of the same supplier goes on with its registers', async () => {
  const { card, read } = await meterWithTariff();
  read(7, 100);
  read(8, 130);
  const one: Tariff = { offsetMinutes: 0, switches: [{ days: 0x7f, minute: 0, rate: 3 }] };
  await sendAll(await open(card, SUPPLIER, OWNER_KEYS), tariffCommands(aidBytes(MEASURING_INSTANCE), one));
  read(9, 150);
  const { ratesWh, sinceWh } = await registersOf(card);
  assert.deepEqual([ratesWh.get(1), ratesWh.get(3), sinceWh], [30, 20, 100]);
});

test('a register that comes to its capacity begins at 0 again, and the rates go on', async () => {
  const { card, read } = await meterWithTariff();
  read(7, 999_999_900);
  read(8, 999_999_990);
  read(9, 20);
  read(10, 50);
  const { totals, ratesWh, sinceWh } = await registersOf(card);
  assert.deepEqual([totals.get(1), ratesWh.get(1), sinceWh], [50, 150, 999_999_900]);
});

test('only close to its capacity a register may begin at 0 again', async () => {
  for (const [before, after] of [
    [100, 0],
    [500_000_000, 0],
    [989_999_999, 0],
    [999_999_999, 10_000_000],
    [1_000_000_001, 0],
  ] as const) {
    const { read } = await meterWithTariff();
    read(7, before);
    assert.throws(
      () => read(8, after),
      (error) => isSefleetError(error, 'SE_APPLET_REFUSED') && error.context['sw'] === 0x6985,
    );
  }
});

test('without a tariff there are totals and no rates', async () => {
  const card = await measuringCard(CODE);
  const client = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  client.seal({
    timestampMs: MONDAY,
    values: [
      [1, 5],
      [3, 7],
    ],
  });
  client.seal({
    timestampMs: MONDAY + 1,
    values: [
      [1, 9],
      [3, 7],
    ],
  });
  const { totals, ratesWh, sinceWh } = await registersOf(card);
  assert.deepEqual(
    [...totals],
    [
      [1, 9],
      [3, 7],
    ],
  );
  assert.equal(sinceWh, undefined);
  assert.ok([...ratesWh.values()].every((wh) => wh === 0));
});

test('a count that no register can show is refused, and the rates stay sound', async () => {
  const { card, read } = await meterWithTariff();
  read(0, 10);
  for (const wh of [-1, 2 ** 53, 1e300]) {
    assert.throws(
      () => read(1, wh),
      (error) => isSefleetError(error, 'SE_APPLET_REFUSED') && error.context['sw'] === 0x6a80,
    );
  }
  read(1, 2 ** 53 - 1);
  const { ratesWh, totals, sinceWh } = await registersOf(card);
  assert.equal(ratesWh.get(2), (totals.get(1) ?? 0) - (sinceWh ?? 0));
});
