import { deepEqual, equal, ok } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { aidBytes, encodeApdu, openScp03Session, selectCommand } from '@sefleet/globalplatform';
import {
  importCard,
  ownerStatusCommand,
  readMeterRegisters,
  readVehicleDiagnostics,
  readVitalSignsAlarm,
  RecordsClient,
} from '@sefleet/secure-element';
import { CARD_PLANS } from '../domain/card-plan.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { FIRST_GENERATION } from '../domain/key-versions.ts';
import { createBench } from '../testing/factory-bench.ts';

/** A Monday evening, at nine by Central European time: the night rate begins at ten. */
const EVENING = Date.UTC(2026, 0, 5, 20);
const MINUTE_MS = 60_000;
const [ENERGY, ODOMETER, HEART_RATE] = [1, 33, 64];

let close: () => Promise<void> = async () => undefined;

/** What the applet of the supplier shows to it, after two readings, a hundred minutes apart. */
async function ownStatus(kind: DeviceKind): Promise<Uint8Array> {
  const bench = await createBench();
  ({ close } = bench);
  const { factory, custody, runtime } = bench;
  const cards = [];
  const orders = [{ endpoint: `one-${kind}`, kind }];
  for await (const batch of factory.deliver(orders, new AbortController().signal)) cards.push(...batch);
  const [delivered] = cards;
  const { domains, supplier } = CARD_PLANS[kind];
  const place = domains.find(({ role }) => role === supplier);
  ok(delivered !== undefined && place !== undefined);
  const card = importCard(delivered.image, { rng: runtime.rng });
  const client = new RecordsClient(card.transmit, place.records);
  const measure = (timestampMs: number, wh: number, metres: number, pulse: number): void => {
    client.seal({
      timestampMs,
      values: [
        [ENERGY, wh],
        [ODOMETER, metres],
        [HEART_RATE, pulse],
      ],
    });
  };
  measure(EVENING, 1000, 1000, 70);
  measure(EVENING + 100 * MINUTE_MS, 1100, 1100, 180);
  client.close();
  const { party, domain } = place;
  const keys = await custody
    .vault(party)
    .diversify('domain', FIRST_GENERATION, delivered.device.diversification);
  card.transmit(encodeApdu(selectCommand(aidBytes(place.records))));
  const options = { transmit: card.transmit, keys, level: 0x33, rng: runtime.rng } as const;
  const session = await openScp03Session({ ...options, domainAid: aidBytes(domain) });
  const { data, sw } = await session.transmit(ownerStatusCommand());
  equal(sw, 0x9000);
  return data;
}

describe('the factory gives each kind of device its applet, with the supplier’s settings in it', () => {
  afterEach(() => close());

  it('meters account by a day and a night rate', async () => {
    const registers = readMeterRegisters(await ownStatus('smart-meter'));
    deepEqual([registers?.totals.get(ENERGY), registers?.sinceWh], [1100, 1000]);
    deepEqual([registers?.ratesWh.get(1), registers?.ratesWh.get(2)], [60, 40]);
  });

  it('vehicles keep their odometer and trips', async () => {
    const diagnostics = readVehicleDiagnostics(await ownStatus('obu'));
    deepEqual([diagnostics?.odometerM, diagnostics?.troubleCodes], [1100, []]);
  });

  it('vital signs raise an alarm by the healthcare provider’s bounds', async () => {
    deepEqual(readVitalSignsAlarm(await ownStatus('rpm-gateway'))?.metrics, [HEART_RATE]);
  });
});
