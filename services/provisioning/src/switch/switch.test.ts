import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { checkRehearsal } from '@sefleet/evidence';
import type { KeyCustody } from '../custody/key-custody.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { provisioningError } from '../errors.ts';
import { SwitchClock } from './switch-clock.ts';
import { recordRehearsal } from '../testing/rehearsal-record.ts';
import { createSwitchBench as openBench, CUT, order, runToEnd, START } from '../testing/switch-bench.ts';

const HOUR_MS = 3_600_000;
/** Each costs a round trip through two servers. */
const EXCHANGES_MAX = 30;
/** More than a switch of two meters has effects, counted before and after each. */
const KILL_POINTS = 140;

const opened: { close(): Promise<void> }[] = [];

/** A bench that is closed after the test, however it ends. */
async function createSwitchBench(
  meters: number,
  faults: Readonly<Record<string, number>> = {},
  kind: DeviceKind = 'smart-meter',
) {
  const bench = await openBench(meters, faults, kind);
  opened.push(bench.bench);
  return {
    ...bench,
    office: (isAlive?: () => boolean, custody?: KeyCustody, time?: SwitchClock) => {
      const office = bench.office({ isAlive, custody, clock: time });
      // A killed office never comes to an end.
      if (isAlive === undefined) opened.push(office);
      return office;
    },
  };
}

async function rehearse(meters: number, faults: Readonly<Record<string, number>>) {
  const bench = await createSwitchBench(meters, faults);
  const desk = bench.office();
  const switchId = await desk.start(order(bench.endpoints, bench.faults));
  await runToEnd(desk, bench.ground, switchId, CUT + 2 * HOUR_MS);
  const verdict = checkRehearsal(await recordRehearsal(bench, desk, switchId));
  return verdict;
}

/** Fulfilled when what can happen by itself has happened. */
async function settled(): Promise<void> {
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
}

function broken({ invariants }: Awaited<ReturnType<typeof rehearse>>) {
  return invariants.filter(({ holds }) => !holds);
}

describe('supplier switch', () => {
  afterEach(async () => {
    for (const item of opened.splice(0).toReversed()) await item.close();
  });

  it('moves meters with their keys and readings, and nothing is lost or billed twice', async () => {
    const verdict = await rehearse(5, {});
    deepEqual(broken(verdict), []);
    equal(verdict.switched, 5);
    equal(verdict.receiptsVerified, 30);
    equal(verdict.oldSupplierProbesRefused, verdict.oldSupplierProbes);
  });

  it('goes on after lost answers, power cuts, duplicates, replays, drift and absence', async () => {
    const faults = { offline: 30, 'lost-ack': 60, 'power-cut': 60, duplicate: 60, replay: 60, drift: 50 };
    const verdict = await rehearse(30, faults);
    deepEqual(broken(verdict), []);
    equal(verdict.switched, 30);
  });

  for (const [fault, reason] of [
    ['tsm-preload', 'preloaded-keys'],
    ['swap', 'swapped-card'],
    ['foreign-certificate', 'certificate-refused'],
    ['expired-certificate', 'certificate-refused'],
    ['se-full', 'se-full'],
    ['look-up-late', 'look-up-unanswered'],
  ] as const) {
    it(`ends with ${reason} where ${fault} is played, and the old supplier goes on`, async () => {
      const verdict = await rehearse(3, { [fault]: 100 });
      deepEqual(broken(verdict), []);
      deepEqual([verdict.exceptions, verdict.switched], [{ [reason]: 3 }, 0]);
    });
  }

  it('settles a leap of the register on both sides of the instant by one reading', async () => {
    const verdict = await rehearse(4, { leap: 100 });
    deepEqual(broken(verdict), []);
    deepEqual([verdict.switched, verdict.gapWh, verdict.overlapWh, verdict.residualWh], [4, 0, 0, 0]);
  });

  it('bills a register right that begins at 0 again in the interval that ends at the instant', async () => {
    const verdict = await rehearse(4, { rollover: 100 });
    deepEqual(broken(verdict), []);
    deepEqual([verdict.switched, verdict.gapWh, verdict.overlapWh, verdict.residualWh], [4, 0, 0, 0]);
    for (const { growthWh, billedWh } of verdict.accounts) {
      ok(growthWh > 0 && growthWh < 10_000, String(growthWh));
      equal(
        Object.values(billedWh).reduce((sum, wh) => sum + wh),
        growthWh,
      );
    }
  });

  it('switches meters whose clocks are off by minutes, each at the instant of its own clock', async () => {
    const verdict = await rehearse(6, { 'clock-off': 100 });
    deepEqual(broken(verdict), []);
    equal(verdict.switched, 6);
  });

  it('finds keys that were loaded ahead, swapped cards, foreign certificates and full cards', async () => {
    const faults = { 'tsm-preload': 20, swap: 20, 'foreign-certificate': 20, 'se-full': 20 };
    const verdict = await rehearse(30, faults);
    deepEqual(broken(verdict), []);
    ok(Object.keys(verdict.exceptions).length >= 4, JSON.stringify(verdict.exceptions));
    equal(verdict.exceptions['internal-error'], undefined);
  });

  it('loses nothing when the service is killed before or after any effect', async () => {
    for (let kill = 1; kill < KILL_POINTS; kill += 9) {
      const bench = await createSwitchBench(2);
      let effects = 0;
      const doomed = bench.office(() => ++effects < kill);
      const stillborn = doomed.start(order(bench.endpoints)).catch(() => undefined);
      await Promise.race([stillborn, settled()]);
      for (let before = 0; before !== effects; await settled()) before = effects;
      // One that lives after everything was staged is killed at or after the instant.
      if (effects < kill) {
        await bench.ground.advance(CUT);
        doomed.advance(CUT);
        for (let before = 0; before !== effects; await settled()) before = effects;
      }
      const heir = bench.office();
      await heir.resume();
      const switchId = await heir.start(order(bench.endpoints));
      await runToEnd(heir, bench.ground, switchId, CUT + 2 * HOUR_MS);
      const verdict = checkRehearsal(await recordRehearsal(bench, heir, switchId));
      deepEqual([kill, broken(verdict)], [kill, []]);
      equal(verdict.switched, 2);
    }
  });

  it('speaks to a card in scripts: some thirty exchanges for a whole switch', async () => {
    const bench = await createSwitchBench(1);
    const scripts: number[] = [];
    const { ground } = bench;
    const exchange = ground.exchange.bind(ground);
    ground.exchange = (endpoint, commands) => {
      scripts.push(commands.length);
      return exchange(endpoint, commands);
    };
    const desk = bench.office();
    await runToEnd(desk, ground, await desk.start(order(bench.endpoints)), CUT + 2 * HOUR_MS);
    ok(scripts.length <= EXCHANGES_MAX, `${scripts.length} exchanges: ${scripts.join(' ')}`);
  });

  it('waits in a rehearsal, after a kill, until it is told what time it is', async () => {
    const bench = await createSwitchBench(2);
    let alive = true;
    const doomed = bench.office(() => alive);
    const switchId = await doomed.start(order(bench.endpoints));
    while ((await doomed.progress(switchId)).stepsDone < 4) await settled();
    alive = false;
    // By the wall's clock the instant lies months back: the meters would have missed it.
    const time = new SwitchClock(bench.bench.runtime.clock, true);
    ok(time.now() > CUT);
    const heir = bench.office(undefined, undefined, time);
    await heir.resume();
    await settled();
    const { states, working, stepsDone, stepsTotal } = await heir.progress(switchId);
    deepEqual([states.get('exception'), working], [undefined, 2]);
    ok(stepsDone >= 4 && stepsDone < stepsTotal);
    await runToEnd(heir, bench.ground, switchId, CUT + HOUR_MS);
    const ended = await heir.progress(switchId);
    deepEqual([ended.states.get('confirmed'), ended.stepsDone, ended.steps.size], [2, stepsTotal, 0]);
  });

  it('says why a switch failed, whatever goes wrong while the meter is taken back', async () => {
    const bench = await createSwitchBench(40, { 'se-full': 100, 'lost-ack': 100 });
    const desk = bench.office();
    const switchId = await desk.start(order(bench.endpoints, bench.faults));
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const details = new Set((await desk.meters(switchId)).map(({ detail }) => detail));
    deepEqual(details, new Set(['The card has no room for the new supplier. (SWITCH_CARD_FULL)']));
  });

  it('takes meters back before the instant, and leaves no trace of the new supplier', async () => {
    const bench = await createSwitchBench(4);
    const desk = bench.office();
    const switchId = await desk.start(order(bench.endpoints));
    await bench.ground.advance(START);
    desk.advance(START);
    while ((await desk.progress(switchId)).working > 0) await settled();
    await desk.control(switchId, 'object', ['m-1']);
    while ((await desk.progress(switchId)).working > 0) await settled();
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const verdict = checkRehearsal(await recordRehearsal(bench, desk, switchId));
    deepEqual(broken(verdict), []);
    deepEqual([verdict.switched, verdict.rolledBack], [3, 1]);
    equal((await desk.meters(switchId))[1]?.reason, 'objection');
  });

  it('undoes an erroneous transfer and goes on to a third supplier', async () => {
    const bench = await createSwitchBench(2);
    const desk = bench.office();
    const first = await desk.start(order(bench.endpoints));
    await runToEnd(desk, bench.ground, first, CUT + HOUR_MS);
    const back = {
      ...order(bench.endpoints),
      requestId: 'back',
      verb: 'erroneous-transfer' as const,
      cutOverAt: CUT + 2 * HOUR_MS,
    };
    const second = await desk.start({ ...back, from: 'sunrise-energy', to: 'northern-power' });
    await runToEnd(desk, bench.ground, second, CUT + 3 * HOUR_MS);
    deepEqual(
      (await desk.meters(second)).map(({ state, detail }) => [state, detail]),
      [
        ['confirmed', ''],
        ['confirmed', ''],
      ],
    );
    const on = { ...back, requestId: 'on', verb: 'switch' as const, cutOverAt: CUT + 4 * HOUR_MS };
    const third = await desk.start({ ...on, from: 'northern-power', to: 'harbour-light' });
    await runToEnd(desk, bench.ground, third, CUT + 5 * HOUR_MS);
    deepEqual(
      (await desk.meters(third)).map(({ state, detail }) => [state, detail]),
      [
        ['confirmed', ''],
        ['confirmed', ''],
      ],
    );
  });

  for (const [kind, from, to, giver] of [
    ['obu', 'shield-insurance', 'beacon-insurance', 'vehicle-owner'],
    ['rpm-gateway', 'valley-clinic', 'lakeside-hospital', 'carekit-leasing'],
  ] as const) {
    it(`moves the records of an ${kind} from ${from} to ${to} on the word of the ${giver}`, async () => {
      const bench = await createSwitchBench(3, {}, kind);
      const desk = bench.office();
      const switchId = await desk.start({ ...order(bench.endpoints), from, to });
      await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
      const verdict = checkRehearsal(await recordRehearsal(bench, desk, switchId));
      deepEqual(broken(verdict), []);
      equal(verdict.switched, 3);
      const [first] = await desk.meters(switchId);
      equal(first?.evidence.mandate?.party, giver);
    });
  }

  it('fails over a whole portfolio, the canaries first, and stops when too many fail', async () => {
    const bench = await createSwitchBench(60, { 'se-full': 60 });
    const desk = bench.office();
    const forced = {
      ...order([], bench.faults),
      verb: 'forced-switch' as const,
      waves: [50],
      stopAbovePercent: 20,
    };
    const switchId = await desk.start(forced);
    while (
      (await desk.progress(switchId)).course.stopped === '' &&
      (await desk.progress(switchId)).working > 0
    )
      await settled();
    const { course, total, states } = await desk.progress(switchId);
    equal(total, 60);
    ok(course.stopped.includes('more than 20 per cent'), course.stopped);
    ok((states.get('planned') ?? 0) >= 30, 'the others were not begun');
  });

  it('begins the others when the canaries are prepared, so that all of them reach the instant', async () => {
    const bench = await createSwitchBench(6);
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints), waves: [30] });
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    deepEqual(
      (await desk.meters(switchId)).map(({ state }) => state),
      Array.from({ length: 6 }, () => 'confirmed'),
    );
  });

  it('does not take failures before the instant, when nobody can be confirmed yet, for the whole', async () => {
    const bench = await createSwitchBench(120, { 'se-full': 25 });
    const desk = bench.office();
    const switchId = await desk.start({ ...order(bench.endpoints, bench.faults), stopAbovePercent: 60 });
    while ((await desk.progress(switchId)).working > 0) await settled();
    const { course, states } = await desk.progress(switchId);
    ok((states.get('exception') ?? 0) >= 20, 'enough to be judged');
    equal(course.stopped, '');
  });

  it('needs nothing of a supplier that has failed: neither its vault nor its signature', async () => {
    const bench = await createSwitchBench(3);
    const custody: KeyCustody = {
      images: bench.bench.custody.images,
      close: () => undefined,
      vault: (party) => {
        if (party === 'northern-power') throw provisioningError('CUSTODY_KEY_NOT_FOUND', 'nobody is there');
        return bench.bench.custody.vault(party);
      },
    };
    const desk = bench.office(undefined, custody);
    const switchId = await desk.start({ ...order([]), verb: 'forced-switch' });
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    for (const { state, evidence } of await desk.meters(switchId)) {
      equal(state, 'confirmed');
      ok(!evidence.closing.some(({ party }) => party === 'northern-power'));
      deepEqual(
        evidence.probes.map(({ by, attempt }) => `${by} ${attempt}`),
        [
          'sunrise-energy old-domain-before-instant',
          'northern-power select-old-domain',
          'trusted-services personalise-new-domain',
          'city-grid personalise-new-domain',
        ],
      );
    }
  });

  it('lets the old supplier try everything that it still has, and nothing of it works', async () => {
    const bench = await createSwitchBench(1);
    const desk = bench.office();
    const switchId = await desk.start(order(bench.endpoints));
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const [meter] = await desk.meters(switchId);
    const tries = meter?.evidence.probes.map(({ by, attempt, sw }) => [by, attempt, sw !== '9000']);
    deepEqual(tries, [
      ['sunrise-energy', 'old-domain-before-instant', true],
      ['northern-power', 'session-from-before', true],
      ['northern-power', 'select-old-domain', true],
      ['northern-power', 'old-key-cryptogram', true],
      ['trusted-services', 'personalise-new-domain', true],
      ['city-grid', 'personalise-new-domain', true],
    ]);
  });

  it('gives a meter to one of two switches that are started at once', async () => {
    const bench = await createSwitchBench(1);
    const desk = bench.office();
    const asked = ['one', 'two'].map((requestId) => desk.start({ ...order(bench.endpoints), requestId }));
    const ends = await Promise.allSettled(asked);
    deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });

  it('refuses a second switch of a meter, strangers and suppliers that are none', async () => {
    const bench = await createSwitchBench(1);
    const desk = bench.office();
    await desk.start(order(bench.endpoints));
    const other = { ...order(bench.endpoints), requestId: 'other' };
    await rejects(desk.start(other), { code: 'SWITCH_IN_PROGRESS_CONFLICT' });
    await rejects(desk.start({ ...other, endpoints: ['ghost'] }), { code: 'PROVISIONING_DEVICE_NOT_FOUND' });
    await rejects(desk.start({ ...other, to: 'chip-works' }), { code: 'PROVISIONING_STAKEHOLDER_NOT_FOUND' });
  });
});
