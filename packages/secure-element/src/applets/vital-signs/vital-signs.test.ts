import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { aidBytes } from '@sefleet/globalplatform';
import { exportCard, importCard } from '../../card/create-card.ts';
import {
  clearCommand,
  ownerStatusCommand,
  readVitalSignsAlarm,
  vitalBoundsCommands,
} from '../../clients/measuring-owner.ts';
import { RecordsClient } from '../../clients/records-client.ts';
import { open, seededRng, send, sendAll, statusOf, SUPPLIER } from '../../testing/card-fixture.ts';
import type { CardDoor } from '../../testing/card-fixture.ts';
import {
  MEASURING_ENDPOINT,
  MEASURING_INSTANCE,
  MEASURING_RECORD_KEY,
  measuringCard,
  openOnApplet,
  OWNER_KEYS,
} from '../../testing/measuring-fixture.ts';
import { VITAL_SIGNS_LOAD_FILE, VITAL_SIGNS_MODULE } from './identifiers.ts';

const [HEART_RATE, SATURATION, ALARM] = [64, 65, 95];
const INSTANCE = aidBytes(MEASURING_INSTANCE);

async function kit() {
  const card = await measuringCard({ loadFile: VITAL_SIGNS_LOAD_FILE, module: VITAL_SIGNS_MODULE });
  const session = await open(card, SUPPLIER, OWNER_KEYS);
  await sendAll(
    session,
    vitalBoundsCommands(INSTANCE, [
      { metric: HEART_RATE, low: 41, high: 130 },
      { metric: SATURATION, low: 92, high: 100 },
    ]),
  );
  const client = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  const measure = (atMs: number, heartRate: number, saturation: number) => {
    const sealed = client.seal({
      timestampMs: atMs,
      values: [
        [HEART_RATE, heartRate],
        [SATURATION, saturation],
      ],
    });
    const { values } = openTelemetryRecord(
      decodeSealedRecord(sealed),
      MEASURING_RECORD_KEY,
      MEASURING_ENDPOINT,
    );
    return new Map(values);
  };
  return { card, measure };
}

async function alarmOf(card: CardDoor) {
  const status = await send(await openOnApplet(card), ownerStatusCommand());
  return readVitalSignsAlarm(status) ?? assert.fail('the owner sees the alarm');
}

test('the card raises an alarm at a value out of bounds, says so in the record, and keeps it until it is cleared', async () => {
  const { card, measure } = await kit();
  assert.equal(measure(1000, 130, 92).get(ALARM), undefined, 'bounds are allowed values');
  assert.deepEqual((await alarmOf(card)).metrics, []);
  assert.equal(measure(2000, 131, 91).get(ALARM), 2);
  assert.equal(measure(3000, 70, 91).get(ALARM), 1);
  assert.equal(measure(4000, 70, 98).get(ALARM), undefined, 'this record is well');
  const moved = importCard(exportCard(card), { rng: seededRng('elsewhere') });
  assert.deepEqual(await alarmOf(moved), { metrics: [HEART_RATE, SATURATION], sinceMs: 2000 });
  assert.equal(await statusOf(await openOnApplet(card), clearCommand()), '9000');
  assert.deepEqual(await alarmOf(card), { metrics: [], sinceMs: undefined });
});

test('bounds that are none are refused, and the old ones stay', async () => {
  const { card, measure } = await kit();
  const before = exportCard(card);
  for (const bounds of [
    [{ metric: HEART_RATE, low: 2, high: 1 }],
    [{ metric: HEART_RATE, low: Number.NaN, high: 1 }],
    [
      { metric: HEART_RATE, low: 1, high: 2 },
      { metric: HEART_RATE, low: 1, high: 2 },
    ],
    Array.from({ length: 33 }, (_, metric) => ({ metric, low: 0, high: 1 })),
  ]) {
    const session = await open(card, SUPPLIER, OWNER_KEYS);
    const [first, ...rest] = vitalBoundsCommands(INSTANCE, bounds);
    await send(session, first ?? assert.fail());
    await sendAll(session, rest.slice(0, -1));
    assert.equal(await statusOf(session, rest.at(-1) ?? assert.fail()), '6a80');
  }
  assert.notDeepEqual(exportCard(card), before, 'sessions are counted');
  assert.equal(measure(1, 200, 98).get(ALARM), 1);
});

test('a record that brings the alarm’s own metric along is refused', async () => {
  const { card } = await kit();
  const client = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  assert.throws(() =>
    client.seal({
      timestampMs: 1,
      values: [
        [HEART_RATE, 200],
        [ALARM, 0],
      ],
    }),
  );
});
