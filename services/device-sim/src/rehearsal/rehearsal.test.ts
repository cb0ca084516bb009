import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ExchangeWay } from './exchange-way.ts';
import { meterFaults, type CommandFault } from './meter-faults.ts';
import { RehearsalReadings } from './rehearsal-readings.ts';
import { VirtualTime } from './virtual-time.ts';

const MINUTE_MS = 60_000;
const START = Date.UTC(2026, 5, 1, 20);

describe('the time of a rehearsal', () => {
  it('runs what is due in its order, at its time, and nothing that was cancelled', async () => {
    const events = fc.array(fc.record({ delay: fc.nat(1000), cancelled: fc.boolean() }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(events, fc.array(fc.nat(400), { maxLength: 5 }), async (planned, steps) => {
        const time = new VirtualTime(START);
        const { clock, timers } = time.lifeOf(0);
        const ran: number[] = [];
        for (const { delay, cancelled } of planned) {
          const timer = timers.after(delay, () => {
            equal(clock.wallMs(), START + delay);
            ran.push(delay);
          });
          if (cancelled) timer.cancel();
        }
        for (const step of [0, ...steps]) await time.advance(time.nowMs + step);
        const passed = time.nowMs - START;
        deepEqual(
          ran,
          planned
            .flatMap(({ delay, cancelled }) => (cancelled || delay > passed ? [] : [delay]))
            .toSorted((a, b) => a - b),
        );
      }),
    );
  });

  it('gives every meter a clock of its own', async () => {
    const time = new VirtualTime(START);
    const fast = time.lifeOf(5000);
    await time.advance(START + 1000);
    equal(fast.clock.wallMs(), START + 6000);
    await time.advance(START);
    equal(time.nowMs, START + 1000, 'time never runs backwards');
  });
});

describe('the readings of a rehearsed meter', () => {
  const plan = {
    seed: 7n,
    kind: 'smart-meter' as const,
    number: 1,
    startMs: START,
    intervalMs: 15 * MINUTE_MS,
    driftMs: -20_000,
  };
  const energyOf = (reading: { measurements: readonly { metric: string; value: number }[] }): number =>
    reading.measurements.find(({ metric }) => metric === 'activeEnergyWh')?.value ?? Number.NaN;

  it('are of the ends of intervals by its clock, and go on after a restart as if there had been none', () => {
    const whole = new RehearsalReadings(plan);
    const first = new RehearsalReadings(plan);
    const expected = [1, 2, 3].map(() => whole.next());
    const before = first.next();
    const second = new RehearsalReadings(plan);
    second.restore(first.snapshot());
    deepEqual([before, second.next(), second.next()], expected);
    deepEqual(second.truth, whole.truth);
    deepEqual(
      expected.map(({ timestampMs }) => timestampMs - START),
      [0, 15 * MINUTE_MS, 30 * MINUTE_MS],
    );
  });

  for (const [kind, counter] of [
    ['obu', 'odometerM'],
    ['rpm-gateway', 'measurementsTaken'],
  ] as const) {
    it(`of an ${kind} count what is charged for, restart or none, and never run backwards`, () => {
      const own = { ...plan, kind };
      const whole = new RehearsalReadings(own);
      const first = new RehearsalReadings(own);
      const values = [whole.next(), whole.at(START + 10 * MINUTE_MS), whole.next()].map(
        ({ measurements }) => measurements.find(({ metric }) => metric === counter)?.value ?? Number.NaN,
      );
      ok(
        values.every((value, at) => value >= (values[at - 1] ?? 0)) && values[0] !== values[2],
        values.join(),
      );
      first.next();
      const second = new RehearsalReadings(own);
      second.restore(first.snapshot());
      second.at(START + 10 * MINUTE_MS);
      second.next();
      deepEqual(second.truth, whole.truth);
    });
  }

  it('tell the register at a cut-over, and never run backwards', () => {
    const readings = new RehearsalReadings(plan);
    const values = [readings.next(), readings.at(START + 10 * MINUTE_MS), readings.next()].map(energyOf);
    ok(
      values.every((value, at) => value >= (values[at - 1] ?? 0)),
      values.join(),
    );
    const { cutOvers, firstRegisterWh, lastRegisterWh } = readings.truth;
    const instant = START + 10 * MINUTE_MS;
    deepEqual(cutOvers, [{ instant, takenAt: instant + 20_000, registerWh: values[1] }]);
    deepEqual([firstRegisterWh, lastRegisterWh], [values[0], values[2]]);
  });
});

describe('faults on the way to a card', () => {
  const none = { 'lost-ack': 0, 'power-cut': 0, duplicate: 0, replay: 0 };
  const bench = (at: Partial<Record<CommandFault, number>>) => {
    const seen: number[] = [];
    const kept: Uint8Array[] = [];
    const counts = { reboots: 0, resets: 0 };
    const ports = {
      faults: { ...meterFaults(new Map(), '1', 'm', 0), at: { ...none, ...at } },
      card: () => ({
        transmit: (command: Uint8Array) => {
          seen.push(command[0] ?? -1);
          return command[0] === 9 ? Uint8Array.of(0x6a, 0x82) : Uint8Array.of(0x90, 0x00);
        },
        reset: () => void counts.resets++,
      }),
      reboot: () => void counts.reboots++,
      keep: (digests: readonly Uint8Array[]) => void kept.push(...digests),
    };
    return { seen, kept, counts, ports, way: new ExchangeWay(ports, 0) };
  };
  const commands = (...names: number[]): Uint8Array[] => names.map((name) => Uint8Array.of(name));

  it('do not happen without being played, and a refusal ends a script', () => {
    const { way, seen, kept } = bench({});
    equal(way.exchange(commands(1, 9, 3)).length, 2);
    deepEqual(seen, [1, 9]);
    equal(kept.length, 2);
  });

  it('happen once, at their command, and what the card saw is kept whatever came of it', () => {
    const cut = bench({ 'power-cut': 2 });
    throws(() => cut.way.exchange(commands(1, 2)), { code: 'SIM_CARD_UNUSABLE' });
    deepEqual([cut.seen, cut.kept.length, cut.counts], [[1], 1, { reboots: 1, resets: 1 }]);
    equal(cut.way.exchange(commands(2)).length, 1);
    const lost = bench({ 'lost-ack': 1 });
    throws(() => lost.way.exchange(commands(1)), { code: 'SIM_CARD_UNUSABLE' });
    deepEqual([lost.seen, lost.kept.length, lost.counts.reboots], [[1], 1, 1]);
    const twice = bench({ duplicate: 1, replay: 3 });
    equal(twice.way.exchange(commands(1, 2, 3)).length, 3);
    deepEqual(twice.seen, [1, 1, 2, 1, 2, 3]);
  });

  it('are counted on after a restart', () => {
    const { ports, seen } = bench({ duplicate: 5 });
    new ExchangeWay(ports, 4).exchange(commands(1));
    deepEqual(seen, [1, 1]);
  });

  it('follow from seed and name, in the shares that were asked for', () => {
    const shares = new Map([
      ['offline', 20],
      ['swap', 100],
    ]);
    const all = Array.from({ length: 500 }, (_, i) => meterFaults(shares, '3', `meter-${i}`, START));
    deepEqual(
      all,
      Array.from({ length: 500 }, (_, i) => meterFaults(shares, '3', `meter-${i}`, START)),
    );
    const away = all.filter((faults) => faults.away !== undefined);
    ok(away.length > 60 && away.length < 140, String(away.length));
    ok(away.every((faults) => (faults.away?.fromMs ?? 0) < START && (faults.away?.untilMs ?? 0) > START));
    ok(all.every(({ swapped, driftMs }) => swapped && driftMs === 0));
  });
});
