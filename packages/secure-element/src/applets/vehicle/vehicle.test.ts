import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { exportCard, importCard } from '../../card/create-card.ts';
import { clearCommand, ownerStatusCommand, readVehicleDiagnostics } from '../../clients/measuring-owner.ts';
import { RecordsClient } from '../../clients/records-client.ts';
import { seededRng, send, statusOf } from '../../testing/card-fixture.ts';
import type { CardDoor } from '../../testing/card-fixture.ts';
import { MEASURING_INSTANCE, measuringCard, openOnApplet } from '../../testing/measuring-fixture.ts';
import { VEHICLE_LOAD_FILE, VEHICLE_MODULE } from './identifiers.ts';

const CODE = { loadFile: VEHICLE_LOAD_FILE, module: VEHICLE_MODULE };
const [SPEED, ODOMETER] = [32, 33];
/** P0301 and P0420 (ISO 15031-6). */
const [MISFIRE, CATALYST] = [0x0301, 0x0420];

async function diagnosticsOf(card: CardDoor) {
  const status = await send(await openOnApplet(card), ownerStatusCommand());
  return readVehicleDiagnostics(status) ?? assert.fail('the owner sees its diagnostics');
}

function refusedWith(sw: number) {
  return (error: unknown): boolean =>
    isSefleetError(error, 'SE_APPLET_REFUSED') && error.context['sw'] === sw;
}

test('the card counts trips from rest to motion, and the odometer never runs backwards', async () => {
  const card = await measuringCard(CODE);
  const obu = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  const drive = (speed: number, odometerM: number): Uint8Array =>
    obu.seal({
      timestampMs: 1,
      values: [
        [SPEED, speed],
        [ODOMETER, odometerM],
      ],
    });
  drive(0, 5000);
  drive(30, 5200);
  drive(50, 6000);
  assert.deepEqual(await diagnosticsOf(card), {
    odometerM: 6000,
    trips: 1,
    tripDistanceM: 1000,
    troubleCodes: [],
  });
  drive(0, 6100);
  assert.equal((await diagnosticsOf(card)).tripDistanceM, 1100);
  assert.throws(() => drive(10, 6099), refusedWith(0x6985));
  drive(10, 6150);
  const { trips, tripDistanceM } = await diagnosticsOf(card);
  assert.deepEqual({ trips, tripDistanceM }, { trips: 2, tripDistanceM: 50 });
});

test('trouble codes are kept once each until their owner clears them', async () => {
  const card = await measuringCard(CODE);
  const obu = new RecordsClient(card.transmit, MEASURING_INSTANCE);
  obu.reportTroubleCodes([MISFIRE, CATALYST]);
  obu.reportTroubleCodes([CATALYST]);
  const moved = importCard(exportCard(card), { rng: seededRng('elsewhere') });
  assert.deepEqual((await diagnosticsOf(moved)).troubleCodes, [MISFIRE, CATALYST]);
  assert.throws(() => obu.reportTroubleCodes([]), refusedWith(0x6a80));
  assert.throws(() => obu.reportTroubleCodes(Array.from({ length: 63 }, (_, i) => i)), refusedWith(0x6a84));
  assert.equal(await statusOf(await openOnApplet(card), clearCommand()), '9000');
  assert.deepEqual((await diagnosticsOf(card)).troubleCodes, []);
});
