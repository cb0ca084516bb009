import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { checkRehearsal } from '@sefleet/evidence';
import { recordRehearsal } from '../testing/rehearsal-record.ts';
import { createSwitchBench, CUT, order, runToEnd, START } from '../testing/switch-bench.ts';
import type { SwitchOffice } from './switch-office.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const opened: { close(): Promise<void> }[] = [];

async function openBench(meters: number, faults: Readonly<Record<string, number>> = {}) {
  const bench = await createSwitchBench(meters, faults);
  opened.push(bench.bench);
  const office = (isAlive?: () => boolean): SwitchOffice => {
    const desk = bench.office({ isAlive });
    // A killed office never comes to an end.
    if (isAlive === undefined) opened.push(desk);
    return desk;
  };
  const pass = async (desk: SwitchOffice, to: number): Promise<void> => {
    await bench.ground.advance(to);
    desk.advance(to);
  };
  return { ...bench, office, pass };
}

/** Fulfilled when what can happen by itself has happened. */
async function settled(): Promise<void> {
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function untilIdle(desk: SwitchOffice, switchId: string): Promise<void> {
  while ((await desk.progress(switchId)).working > 0) await settled();
}

/** When a step of every meter began, in order. */
async function beginnings(desk: SwitchOffice, switchId: string, step: string): Promise<number[]> {
  const meters = await desk.meters(switchId);
  return meters
    .flatMap(({ evidence }) => evidence.timings.filter((timing) => timing.step === step))
    .map(({ startedAt }) => startedAt)
    .toSorted((a, b) => a - b);
}

function busiestMinute(times: readonly number[]): number {
  return Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + MINUTE_MS).length));
}

describe('a switch with a rate', () => {
  afterEach(closeAll);

  it('begins, prepares and cuts over so many a minute at the most, and all come through', async () => {
    const bench = await openBench(14);
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints), ratePerMinute: 4 });
    await runToEnd(desk, bench.ground, switchId, CUT + 2 * HOUR_MS);
    for (const step of ['mandate', 'card-certificate', 'cut-over-read']) {
      const times = await beginnings(desk, switchId, step);
      equal(times.length, 14);
      ok(busiestMinute(times) <= 4, `${step}: ${busiestMinute(times)}`);
      ok((times.at(-1) ?? 0) - (times[0] ?? 0) <= 4 * MINUTE_MS, `${step} is not slower than the rate`);
    }
    const verdict = checkRehearsal(await recordRehearsal(bench, desk, switchId));
    deepEqual(
      verdict.invariants.filter(({ holds }) => !holds),
      [],
    );
    equal(verdict.switched, 14);
  });

  it('keeps to it when the service is killed again and again', async () => {
    const bench = await openBench(10);
    let switchId = '';
    for (let life = 0; life < 8; life++) {
      let alive = true;
      const desk = bench.office(() => alive);
      await desk.resume();
      switchId = await desk.start({ ...order(bench.endpoints), ratePerMinute: 3 });
      await settled();
      await bench.pass(desk, START + (life + 1) * 7000);
      await settled();
      alive = false;
    }
    const heir = bench.office();
    await heir.resume();
    await runToEnd(heir, bench.ground, switchId, CUT + HOUR_MS);
    for (const step of ['mandate', 'card-certificate', 'cut-over-read']) {
      const times = await beginnings(heir, switchId, step);
      equal(times.length, 10);
      ok(busiestMinute(times) <= 3, `${step}: ${busiestMinute(times)}`);
    }
  });

  it('takes meters back as fast as it can: no rate holds them from their old supplier', async () => {
    const bench = await openBench(6);
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints), ratePerMinute: 1 });
    await untilIdle(desk, switchId);
    await desk.control(switchId, 'cancel', []);
    await untilIdle(desk, switchId);
    const { done, states } = await desk.progress(switchId);
    deepEqual([done, states.get('rolled-back')], [true, 6]);
  });

  it('is refused when the instant or the deadline comes first', async () => {
    const bench = await openBench(3);
    const desk = bench.office();
    const cases = [
      { ratePerMinute: 1, cutOverAt: START + 2 * MINUTE_MS },
      { waves: [30, 30], wavePauseMs: 61 * MINUTE_MS },
      { cutOverAt: START },
      { cutOverAt: Number.NaN },
      { cutOverAt: CUT + 400 * 24 * HOUR_MS },
      { waves: [0] },
      { waves: [60, 41] },
      { ratePerMinute: 5_000_000 },
    ];
    for (const wrong of cases) {
      const asked = desk.start({ ...order(bench.endpoints), ...wrong });
      await rejects(asked, { code: 'PROVISIONING_REQUEST_INVALID' }, JSON.stringify(wrong));
    }
    await desk.start({ ...order(bench.endpoints), ratePerMinute: 1, cutOverAt: START + 3 * MINUTE_MS });
  });
});

describe('a switch in waves', () => {
  afterEach(closeAll);

  it('begins each when the one before is prepared and has rested', async () => {
    const bench = await openBench(10);
    const desk = bench.office();
    const waves = { waves: [10, 30], wavePauseMs: 10 * MINUTE_MS };
    const switchId = await desk.start({ ...order(bench.endpoints), ...waves });
    await untilIdle(desk, switchId);
    const first = await desk.progress(switchId);
    deepEqual([first.begun, first.wave, first.nextDueAt], [1, 2, START + 10 * MINUTE_MS]);
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const times = (await beginnings(desk, switchId, 'mandate')).map((at) => (at - START) / MINUTE_MS);
    deepEqual(times, [0, 10, 10, 10, 20, 20, 20, 20, 20, 20]);
    equal((await desk.progress(switchId)).states.get('confirmed'), 10);
  });

  it('go on where they were after a restart', async () => {
    const bench = await openBench(10);
    let alive = true;
    const desk = bench.office(() => alive);
    const waves = { waves: [20], wavePauseMs: 10 * MINUTE_MS };
    const switchId = await desk.start({ ...order(bench.endpoints), ...waves });
    await untilIdle(desk, switchId);
    alive = false;
    const heir = bench.office();
    await heir.resume();
    await bench.pass(heir, START + 9 * MINUTE_MS);
    await settled();
    equal((await heir.progress(switchId)).begun, 2, 'the first wave rests, whoever works on it');
    await runToEnd(heir, bench.ground, switchId, CUT + HOUR_MS);
    equal((await heir.progress(switchId)).states.get('confirmed'), 10);
  });
});

describe('a switch that is controlled', () => {
  afterEach(closeAll);

  it('rests while it is paused, takes meters back all the same, and goes on', async () => {
    const bench = await openBench(6);
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints), concurrency: 2 });
    await desk.control(switchId, 'pause', []);
    await untilIdle(desk, switchId);
    const { states, course } = await desk.progress(switchId);
    equal(states.get('credential-staged'), undefined);
    ok(course.paused);
    const { takenBack } = await desk.control(switchId, 'object', ['m-0', 'm-5']);
    equal(takenBack, 2);
    await untilIdle(desk, switchId);
    equal((await desk.progress(switchId)).states.get('rolled-back'), 2);
    await bench.pass(desk, START + MINUTE_MS);
    await desk.control(switchId, 'resume', []);
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const end = await desk.progress(switchId);
    deepEqual([end.states.get('confirmed'), end.done], [4, true]);
    deepEqual(end.course.interruptions, [{ from: START, until: START + MINUTE_MS, stopped: '' }]);
  });

  it('stays paused over a restart, and can be cancelled then', async () => {
    const bench = await openBench(4);
    let alive = true;
    const desk = bench.office(() => alive);
    const switchId = await desk.start(order(bench.endpoints));
    await untilIdle(desk, switchId);
    await desk.control(switchId, 'pause', []);
    alive = false;
    const heir = bench.office();
    await heir.resume();
    await settled();
    await bench.pass(heir, CUT + MINUTE_MS);
    await settled();
    equal((await heir.progress(switchId)).states.get('credential-staged'), 4, 'the instant went by');
    const { takenBack } = await heir.control(switchId, 'cancel', []);
    equal(takenBack, 4);
    await untilIdle(heir, switchId);
    await heir.control(switchId, 'resume', []);
    await runToEnd(heir, bench.ground, switchId, CUT + HOUR_MS);
    // Each took its reading at the instant by itself: what it handed over cannot be taken back.
    equal((await heir.progress(switchId)).states.get('confirmed'), 4);
  });

  it('that stopped by itself is resumed: the failures so far have been looked at', async () => {
    const bench = await openBench(40, { 'se-full': 50 });
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints, bench.faults), stopAbovePercent: 20 });
    await untilIdle(desk, switchId);
    const stopped = await desk.progress(switchId);
    ok(stopped.course.stopped !== '');
    ok(stopped.states.has('planned'), 'the others were not begun');
    await desk.control(switchId, 'resume', []);
    equal((await desk.progress(switchId)).course.stopped, '');
    await untilIdle(desk, switchId);
    const { states } = await desk.progress(switchId);
    ok((states.get('planned') ?? 0) < (stopped.states.get('planned') ?? 0), 'more were begun');
  });

  it('counts the failures of a former process when it judges', async () => {
    const bench = await openBench(40, { 'se-full': 100 });
    let alive = true;
    const desk = bench.office(() => alive);
    const asked = { ...order(bench.endpoints, bench.faults), stopAbovePercent: 20, ratePerMinute: 18 };
    const switchId = await desk.start(asked);
    for (let second = 1; second <= 60; second++) {
      await bench.pass(desk, START + second * 1000);
      await untilIdle(desk, switchId);
    }
    equal((await desk.progress(switchId)).course.stopped, '', 'too few to be judged');
    alive = false;
    const heir = bench.office();
    await heir.resume();
    for (let second = 61; second <= 90; second++) {
      await bench.pass(heir, START + second * 1000);
      await untilIdle(heir, switchId);
    }
    ok((await heir.progress(switchId)).course.stopped.startsWith('20 of 20'));
  });

  it('says which wishes come too late, and refuses what is about nothing', async () => {
    const bench = await openBench(2);
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints), concurrency: 1 });
    await untilIdle(desk, switchId);
    await rejects(desk.control(switchId, 'object', []), { code: 'PROVISIONING_REQUEST_INVALID' });
    await rejects(desk.control(switchId, 'cancel', ['m-1']), { code: 'PROVISIONING_REQUEST_INVALID' });
    await rejects(desk.control(switchId, 'object', ['m-9']), { code: 'PROVISIONING_DEVICE_NOT_FOUND' });
    await rejects(desk.control('ghost', 'pause', []), { code: 'SWITCH_NOT_FOUND' });
    await bench.pass(desk, CUT);
    await desk.control(switchId, 'pause', []);
    await settled();
    const { takenBack, tooLate } = await desk.control(switchId, 'cancel', []);
    equal(takenBack + tooLate, 2);
    await desk.control(switchId, 'resume', []);
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    await rejects(desk.control(switchId, 'pause', []), { code: 'SWITCH_OVER_PRECONDITION' });
    deepEqual(
      (await desk.latest(5)).map(({ order: { switchId: id } }) => id),
      [switchId],
    );
  });
});

async function closeAll(): Promise<void> {
  for (const item of opened.splice(0).toReversed()) await item.close();
}
