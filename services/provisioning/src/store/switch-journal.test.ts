import { deepEqual, equal } from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { partyId } from '../domain/party.ts';
import { planMeter } from '../domain/switch/meter-switch.ts';
import { FRESH_COURSE } from '../domain/switch/switch-course.ts';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';
import { StorePlaces } from '../testing/store-places.ts';
import type { MeterPage } from './switch-journal.ts';

const places = new StorePlaces();
before(() => places.open());
after(() => places.close());

const NORTHERN = partyId('northern-power');
const SUNRISE = partyId('sunrise-energy');

const ORDER: SwitchOrder = {
  switchId: 's-1',
  startedAt: Date.UTC(2026, 4, 31),
  verb: 'switch',
  from: NORTHERN,
  to: SUNRISE,
  cutOverAt: Date.UTC(2026, 5, 1),
  concurrency: 4,
  ratePerMinute: 30,
  waves: [5, 20],
  wavePauseMs: 60_000,
  stopAbovePercent: 10,
  faults: new Map([['offline', 2]]),
  seed: 7,
  market: 'DK',
};

for (const place of places.kinds) {
  describe(`the journal of switches on ${place.name}`, { skip: place.skip }, () => {
    const { fresh, again, close } = place;

    it('keeps a switch for the next process: order, meters, course and counts', async () => {
      const first = await fresh();
      const head = { verb: 'switch', from: NORTHERN, to: SUNRISE, cutOverAt: ORDER.cutOverAt } as const;
      const meters = ['a', 'b', 'c'].map((one) => planMeter('s-1', one, head));
      equal(await first.journal.start('request', ORDER, meters), 's-1');
      equal(await first.journal.start('request', { ...ORDER, switchId: 's-2' }, []), 's-1');
      const [a, b] = meters;
      if (a === undefined || b === undefined) throw new RangeError('three meters were planned');
      const moved = {
        ...a,
        state: 'switched',
        done: 'cut-over-read',
        receiptCounter: 5_000_000_000,
      } as const;
      await first.journal.record({ ...moved, inDoubt: true, dueAt: 1_900_000_000_000 });
      await first.journal.record({
        ...b,
        state: 'exception',
        reason: 'unreachable-at-cut',
        detail: 'x',
        attempts: 3,
      });
      const course = {
        ...FRESH_COURSE,
        paused: true,
        stopped: 'too many',
        interruptions: [{ from: 5, until: 0, stopped: 'too many' }],
        begun: { dueAt: 1.5, lately: [[1000, 3]] },
      } as const;
      await first.journal.putCourse('s-1', course);
      await close(first);
      const stores = await again();
      const { journal } = stores;
      deepEqual(await journal.order('s-1'), ORDER);
      equal(await journal.order('s-2'), undefined);
      deepEqual(await journal.course('s-1'), course);
      deepEqual(await journal.course('s-2'), FRESH_COURSE);
      deepEqual(await journal.unfinished(), ['s-1']);
      deepEqual([...(await journal.busyMeters())].toSorted(), ['a', 'c']);
      const open = await journal.meters('s-1', 'open');
      const { evidence, ...rest } = { ...moved, inDoubt: true, dueAt: 1_900_000_000_000 };
      // What is undefined in the evidence is left out of its JSON.
      deepEqual(open[0], { ...rest, evidence: JSON.parse(JSON.stringify(evidence)) });
      deepEqual(
        open.map(({ endpoint }) => endpoint),
        ['a', 'c'],
      );
      const { states, exceptions } = await journal.counts('s-1');
      deepEqual(
        [states.get('planned'), states.get('switched'), exceptions.get('unreachable-at-cut')],
        [1, 1, 1],
      );
      await close(stores);
    });

    it('lists switches, the last one first, and the meters of one in pages', async () => {
      const stores = await fresh();
      const { journal } = stores;
      const head = { verb: 'switch', from: NORTHERN, to: SUNRISE, cutOverAt: ORDER.cutOverAt } as const;
      for (const [switchId, startedAt] of [
        ['s-1', 10],
        ['s-2', 30],
        ['s-3', 20],
      ] as const) {
        const meters = ['a', 'b', 'c', 'd'].map((one) => planMeter(switchId, `${one}-${switchId}`, head));
        await journal.start(switchId, { ...ORDER, switchId, startedAt }, meters);
      }
      deepEqual(await journal.latest(2), ['s-2', 's-3']);
      const [first] = await journal.page('s-2', { states: [], after: '', limit: 1 });
      equal(first?.endpoint, 'a-s-2');
      if (first !== undefined) await journal.record({ ...first, state: 'exception', reason: 'x' });
      const names = async (page: MeterPage): Promise<string[]> =>
        (await journal.page('s-2', page)).map(({ endpoint }) => endpoint);
      deepEqual(await names({ states: [], after: 'a-s-2', limit: 2 }), ['b-s-2', 'c-s-2']);
      deepEqual(await names({ states: ['exception', 'rolled-back'], after: '', limit: 9 }), ['a-s-2']);
      deepEqual(await names({ states: ['planned'], after: 'd-s-2', limit: 9 }), []);
      deepEqual(await journal.endpoints('s-1'), ['a-s-1', 'b-s-1', 'c-s-1', 'd-s-1']);
      await close(stores);
    });

    it('takes an order from before waves for one with canaries', async () => {
      const stores = await fresh();
      const { waves: _waves, ...old } = { ...ORDER, canaryPercent: 5 };
      // As a former version wrote it.
      await stores.journal.start('request', old as unknown as SwitchOrder, []);
      deepEqual((await stores.journal.order('s-1'))?.waves, [5]);
      await close(stores);
    });
  });
}
