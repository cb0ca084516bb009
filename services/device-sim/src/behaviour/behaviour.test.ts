import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { BehaviourModel } from './behaviour-model.ts';
import { isPublicHoliday, toCentralEuropeanTime } from './civil-time.ts';
import { HouseholdLoad, profileMilliwatts, SLOT_MS } from './household-load.ts';
import { WLTC_SPEED } from './published-data.ts';
import { createRoute } from './route.ts';
import { deviceSeed, exponentialNoise, smoothNoise, uniformNoise } from './seeded-noise.ts';
import { VehicleDrive } from './vehicle-drive.ts';
import { VITAL_SIGNS, VitalSigns } from './vital-signs.ts';

const START_MS = Date.UTC(2026, 0, 12, 16);
const seeds = fc.integer({ min: 0, max: 0xffff_ffff });
const steps = fc.array(fc.integer({ min: 0, max: 4 * 3_600_000 }), { minLength: 1, maxLength: 40 });

function measure(model: BehaviourModel, metric: string, atMs: number): number {
  const found = model.sample(atMs).find((measurement) => measurement.metric === metric);
  assert.ok(found);
  return found.value;
}

const kinds: readonly (readonly [string, (seed: number) => BehaviourModel])[] = [
  ['household', (seed) => new HouseholdLoad(seed, START_MS)],
  ['vehicle', (seed) => new VehicleDrive(seed, START_MS)],
  ['patient', (seed) => new VitalSigns(seed)],
];

for (const [name, create] of kinds) {
  test(`${name}: a seed reproduces every reading, also across a restart from a snapshot`, () => {
    fc.assert(
      fc.property(seeds, steps, fc.nat(), (seed, deltas, cut) => {
        const whole = create(seed);
        let stopped = create(seed);
        let atMs = START_MS;
        for (const [i, delta] of deltas.entries()) {
          atMs += delta;
          if (i === cut % deltas.length) {
            const resumed = create(seed);
            resumed.restore(stopped.snapshot());
            stopped = resumed;
          }
          assert.deepEqual(stopped.sample(atMs), whole.sample(atMs));
        }
      }),
      { numRuns: 40 },
    );
  });
}

test('household: the register grows by the integral of the power, within 1 Wh, and never falls', () => {
  fc.assert(
    fc.property(seeds, steps, (seed, deltas) => {
      const model = new HouseholdLoad(seed, START_MS);
      const firstWh = measure(model, 'activeEnergyWh', START_MS);
      let atMs = START_MS;
      let lastWh = firstWh;
      let integralWh = 0;
      for (const delta of deltas) {
        for (let t = atMs; t < atMs + delta;) {
          const end = Math.min(atMs + delta, (Math.floor(t / SLOT_MS) + 1) * SLOT_MS);
          integralWh += (model.powerMilliwatts(t) * (end - t)) / 3.6e9;
          t = end;
        }
        atMs += delta;
        const nowWh = measure(model, 'activeEnergyWh', atMs);
        assert.ok(Number.isInteger(nowWh) && nowWh >= lastWh);
        lastWh = nowWh;
        assert.ok(Math.abs(lastWh - firstWh - integralWh) <= 1);
      }
    }),
    { numRuns: 40 },
  );
});

test('household: the register does not depend on how often it is read', () => {
  fc.assert(
    fc.property(seeds, steps, (seed, deltas) => {
      const often = new HouseholdLoad(seed, START_MS);
      const once = new HouseholdLoad(seed, START_MS);
      let atMs = START_MS;
      for (const delta of deltas) often.sample((atMs += delta));
      assert.deepEqual(often.sample(atMs), once.sample(atMs));
    }),
    { numRuns: 30 },
  );
});

test('household: a year of the profile for 1,000 kWh comes to 1,000 kWh, within the dynamisation', () => {
  let wh = 0;
  for (let quarter = 0; quarter < 365 * 96; quarter++) {
    const atMs = Date.UTC(2026, 0, 1) - 3_600_000 + quarter * 900_000;
    wh += profileMilliwatts(toCentralEuropeanTime(atMs)) / 1000 / 4;
  }
  assert.ok(Math.abs(wh / 1_000_000 - 1) < 0.02, `${wh} Wh`);
});

test('household: many households together follow the profile of the evening', () => {
  const evening = Date.UTC(2026, 0, 14, 18);
  const households = Array.from({ length: 3000 }, (_, i) => new HouseholdLoad(deviceSeed(7n, i), START_MS));
  const sum = households.reduce((total, household) => total + household.powerMilliwatts(evening), 0);
  const consumption = households.reduce((total, household) => total + household.yearlyConsumptionWh / 1e6, 0);
  const expected = profileMilliwatts(toCentralEuropeanTime(evening)) * consumption;
  assert.ok(Math.abs(sum / expected - 1) < 0.06, `${sum / expected}`);
});

test('knows summer time, holidays and Easter', () => {
  assert.equal(toCentralEuropeanTime(Date.UTC(2026, 2, 29, 0, 59)).quarterHour, 7);
  assert.equal(toCentralEuropeanTime(Date.UTC(2026, 2, 29, 1, 0)).quarterHour, 12);
  assert.equal(toCentralEuropeanTime(Date.UTC(2026, 9, 25, 1, 0)).quarterHour, 8);
  const dates: readonly (readonly [number, number, number, boolean])[] = [
    [2026, 4, 3, true],
    [2026, 4, 6, true],
    [2026, 5, 14, true],
    [2026, 5, 25, true],
    [2025, 4, 21, true],
    [2024, 4, 1, true],
    [2038, 4, 26, true],
    [2026, 10, 3, true],
    [2026, 4, 7, false],
  ];
  for (const [year, month, day, holiday] of dates) {
    const time = toCentralEuropeanTime(Date.UTC(year, month - 1, day, 10));
    assert.equal(isPublicHoliday(time), holiday, `${year}-${month}-${day}`);
  }
});

test('vehicle: the odometer is the integral of the speed and never runs backwards', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const model = new VehicleDrive(seed, START_MS);
      let integralM = 0;
      let last = measure(model, 'odometerM', START_MS);
      const stepMs = 250;
      for (let atMs = START_MS; atMs < START_MS + 3_600_000; atMs += stepMs) {
        const both = model.speedKmh(atMs) + model.speedKmh(atMs + stepMs);
        integralM += ((both / 2 / 3.6) * stepMs) / 1000;
        const odometerM = measure(model, 'odometerM', atMs + stepMs);
        assert.ok(odometerM >= last);
        last = odometerM;
      }
      const distanceM = model.distanceM(START_MS + 3_600_000);
      // The pause starts between two steps at most twice an hour, at a speed of zero.
      assert.ok(Math.abs(integralM - distanceM) < 1, `${integralM} against ${distanceM}`);
    }),
    { numRuns: 5 },
  );
});

test('vehicle: the cycle is that of the regulation: 1,800 s, 23.27 km, 131.3 km/h', () => {
  assert.equal(WLTC_SPEED.length, 1801);
  assert.equal(Math.max(...WLTC_SPEED), 1313);
  assert.equal(Math.round(WLTC_SPEED.reduce((sum, speed) => sum + speed, 0) / 36), 23_266);
});

test('vehicle: its positions lie on a closed way, one metre apart for each metre driven', () => {
  const route = createRoute(42);
  for (let m = 0; m < route.lengthM; m += 500) {
    const here = route.at(m);
    const next = route.at(m + 10);
    const north = ((next.latitude - here.latitude) * Math.PI * 6_371_008.8) / 180;
    const east =
      ((next.longitude - here.longitude) *
        Math.PI *
        6_371_008.8 *
        Math.cos((here.latitude * Math.PI) / 180)) /
      180;
    assert.ok(Math.hypot(north, east) < 10.1);
  }
  assert.ok(Math.abs(route.at(route.lengthM).latitude - route.at(0).latitude) < 1e-9);
});

test('patient: every vital sign stays in its reference range and is lower at night', () => {
  for (const vital of VITAL_SIGNS) {
    let day = 0;
    let night = 0;
    for (let patient = 0; patient < 50; patient++) {
      const model = new VitalSigns(deviceSeed(1n, patient));
      for (let minute = 0; minute < 60; minute += 7) {
        const byDay = measure(model, vital.metric, Date.UTC(2026, 5, 10, 12, minute));
        const byNight = measure(model, vital.metric, Date.UTC(2026, 5, 10, 1, minute));
        for (const value of [byDay, byNight]) assert.ok(value >= vital.min && value <= vital.max);
        day += byDay;
        night += byNight;
      }
    }
    assert.ok(night < day, vital.metric);
  }
});

test('noise is uniform, has the promised mean and stays in its range', () => {
  let uniform = 0;
  let exponential = 0;
  const count = 50_000;
  for (let slot = 0; slot < count; slot++) {
    uniform += uniformNoise(9, 1, slot);
    exponential += exponentialNoise(9, 2, slot);
    const smooth = smoothNoise(9, 3, slot * 997, 60_000);
    assert.ok(smooth >= -1 && smooth <= 1);
  }
  assert.ok(Math.abs(uniform / count - 0.5) < 0.01);
  assert.ok(Math.abs(exponential / count - 1) < 0.02);
});
