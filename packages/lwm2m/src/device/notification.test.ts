import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Lwm2mPath } from '../model/path.ts';
import { AttributeStore, formatAttributeQueries, parseAttributeQueries } from './attributes.ts';
import type { NotificationAttributes } from './attributes.ts';
import { startNotification, stepNotification } from './notification.ts';
import type { Sample } from './notification.ts';

/** Feeds changes at their times and gives the times at which something was sent, timers included. */
function sentAt(
  attributes: NotificationAttributes,
  first: Sample,
  changes: readonly (readonly [seconds: number, value: Sample])[],
  untilSeconds: number,
): number[] {
  const state = startNotification(first, 0);
  const sent: number[] = [];
  let sample = first;
  let wakeAt = stepNotification(state, attributes, sample, false, 0).wakeAtMs;
  const step = (nowMs: number, changed: boolean): void => {
    const decision = stepNotification(state, attributes, sample, changed, nowMs);
    if (decision.send) sent.push(nowMs / 1000);
    wakeAt = decision.wakeAtMs;
  };
  for (const [seconds, value] of [...changes, [untilSeconds, undefined] as const]) {
    while (wakeAt !== undefined && wakeAt <= seconds * 1000) step(wakeAt, false);
    if (seconds === untilSeconds) break;
    sample = value;
    step(seconds * 1000, true);
  }
  return sent;
}

describe('notification rules', () => {
  it('sends every change without attributes', () => {
    assert.deepEqual(
      sentAt(
        {},
        1,
        [
          [1, 2],
          [2, 3],
        ],
        10,
      ),
      [1, 2],
    );
  });

  it('waits for pmin and sends at pmax', () => {
    assert.deepEqual(
      sentAt(
        { pmin: 10 },
        1,
        [
          [1, 2],
          [2, 3],
          [15, 4],
        ],
        30,
      ),
      [10, 20],
    );
    assert.deepEqual(sentAt({ pmax: 10 }, 1, [[4, 2]], 30), [4, 14, 24]);
    assert.deepEqual(sentAt({ pmin: 10, pmax: 5 }, 1, [], 30), [], 'a pmax below pmin is ignored');
  });

  it('sends when a threshold is crossed in either direction', () => {
    const values = [
      [1, 24],
      [2, 26],
      [3, 27],
      [4, 24],
      [5, 9],
      [6, 11],
    ] as const;
    assert.deepEqual(sentAt({ gt: 25 }, 20, values, 10), [2, 4]);
    assert.deepEqual(sentAt({ lt: 10 }, 20, values, 10), [5, 6]);
    assert.deepEqual(sentAt({ gt: 25, lt: 10 }, 20, values, 10), [2, 4, 5, 6]);
  });

  it('sends when the value has moved by a step since the last notification', () => {
    assert.deepEqual(
      sentAt(
        { st: 5 },
        20,
        [
          [1, 23],
          [2, 25],
          [3, 29],
          [4, 30],
          [5, 24],
        ],
        10,
      ),
      [2, 4, 5],
    );
  });

  it('sends on the edge that is asked for', () => {
    const values = [
      [1, true],
      [2, false],
      [3, true],
      [4, true],
    ] as const;
    assert.deepEqual(sentAt({ edge: 1 }, false, values, 10), [1, 3]);
    assert.deepEqual(sentAt({ edge: 0 }, false, values, 10), [2]);
  });

  it('looks at the value as often as epmin and epmax say', () => {
    assert.deepEqual(
      sentAt(
        { epmin: 10, gt: 25 },
        20,
        [
          [2, 30],
          [4, 20],
        ],
        30,
      ),
      [],
      'a peak between two looks',
    );
    assert.deepEqual(sentAt({ epmin: 10 }, 20, [[2, 30]], 30), [10]);
  });

  it('never sends more often than pmin nor more rarely than pmax', () => {
    const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 299 }), fc.integer({ min: 0, max: 50 })), {
      maxLength: 50,
    });
    const pmin = fc.integer({ min: 0, max: 20 });
    fc.assert(
      fc.property(changes, pmin, fc.integer({ min: 1, max: 40 }), (raw, least, more) => {
        const pmax = least + more;
        const sorted = raw.toSorted(([a], [b]) => a - b);
        const sent = [0, ...sentAt({ pmin: least, pmax, st: 3 }, 20, sorted, 300), 300];
        for (let i = 1; i < sent.length; i++) {
          const gap = (sent[i] ?? 0) - (sent[i - 1] ?? 0);
          assert.ok(gap <= pmax, `${gap} > pmax ${pmax}`);
          assert.ok(gap >= least || i === sent.length - 1, `${gap} < pmin ${least}`);
        }
      }),
    );
  });
});

describe('attributes', () => {
  const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);

  it('are read and written as queries', () => {
    const change = parseAttributeQueries(['pmin=10', 'gt=-2.5', 'pmax']);
    assert.deepEqual(change, { pmin: 10, gt: -2.5, pmax: null });
    assert.deepEqual(formatAttributeQueries(change), ['pmin=10', 'gt=-2.5', 'pmax']);
    for (const bad of ['pmin=-1', 'pmin=1.5', 'gt=1e3', 'con=2', 'edge=x', 'unknown=1', 'st=-1', 'pmin=']) {
      assert.throws(() => parseAttributeQueries([bad]), { code: 'LWM2M_BAD_REQUEST' }, bad);
    }
  });

  it('are inherited downwards, each server its own', () => {
    const store = new AttributeStore();
    store.write(101, path('/3303'), { pmin: 5, pmax: 60 }, undefined);
    store.write(101, path('/3303/0/5700'), { pmin: 1, gt: 25 }, 'float');
    store.write(102, path('/3303/0'), { pmin: 99 }, undefined);
    assert.deepEqual(store.effective(101, path('/3303/0/5700')), { pmin: 1, pmax: 60, gt: 25 });
    assert.deepEqual(store.effective(102, path('/3303/0/5700')), { pmin: 99 });
    store.write(101, path('/3303/0/5700'), { pmin: null }, 'float');
    assert.deepEqual(store.effective(101, path('/3303/0/5700')), { pmin: 5, pmax: 60, gt: 25 });
    store.forget(path('/3303/0'));
    assert.deepEqual(store.effective(101, path('/3303/0/5700')), { pmin: 5, pmax: 60 });
    store.forgetServer(101);
    assert.deepEqual(store.effective(101, path('/3303/0/5700')), {});
  });

  it('are refused where they do not fit', () => {
    const store = new AttributeStore();
    const refused = { code: 'LWM2M_BAD_REQUEST' };
    assert.throws(() => store.write(101, path('/3303/0'), { gt: 1 }, undefined), refused);
    assert.throws(() => store.write(101, path('/3303/0/5701'), { gt: 1 }, 'string'), refused);
    assert.throws(() => store.write(101, path('/3303/0/5700'), { edge: 1 }, 'float'), refused);
    assert.throws(() => store.write(101, path('/3303/0/5700'), { lt: 10, gt: 12, st: 1 }, 'float'), refused);
    assert.deepEqual(store.at(101, path('/3303/0/5700')), {});
  });
});
