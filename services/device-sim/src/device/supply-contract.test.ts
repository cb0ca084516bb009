import { deepEqual, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SefleetError } from '@sefleet/errors';
import { aid } from '@sefleet/globalplatform';
import { readerOrder } from '@sefleet/secure-element';
import { VirtualTime } from '../rehearsal/virtual-time.ts';
import type { Reading } from './reading-source.ts';
import { SupplyContract } from './supply-contract.ts';

const APPLICATION = aid('F05345464C54020224');
const OPENING = Uint8Array.of(1, 2);
const CLOSING = Uint8Array.of(3);
const BEGIN = readerOrder('begin', APPLICATION, new Uint8Array(16));
const END = readerOrder('end', APPLICATION, new Uint8Array(16));

function bench(refuses = false) {
  const time = new VirtualTime(0);
  const { clock, timers } = time.lifeOf(0);
  const seen: string[] = [];
  const contract = new SupplyContract({
    timers,
    nowMs: () => clock.wallMs(),
    read: (timestampMs): Reading => ({ timestampMs, measurements: [] }),
    take: (order, { timestampMs }) => {
      if (refuses) throw new SefleetError('SE_APPLET_REFUSED', 'peer', 'no');
      seen.push(`taken ${timestampMs}`);
      const records = order === BEGIN ? { opening: OPENING } : { closing: CLOSING };
      return { application: APPLICATION, ...records };
    },
    refused: () => void seen.push('refused'),
    persist: () => undefined,
  });
  const without = (at: number): number => contract.withoutAt(at).size;
  return { time, contract, seen, without };
}

describe('a contract by which somebody begins to read a device, or ends', () => {
  it('reads for who comes from the instant on, and once at the instant itself', async () => {
    const { time, contract, seen, without } = bench();
    contract.prepare(BEGIN);
    equal(contract.schedule(100), true);
    deepEqual([without(50), without(100)], [1, 1]);
    await time.advance(100);
    deepEqual(seen, ['taken 100']);
    deepEqual([without(100), without(101)], [1, 0]);
    deepEqual(contract.cutOver?.opening, OPENING);
    equal(contract.cutOver?.closing, undefined);
    equal(contract.withdraw(), false);
  });

  it('reads for who goes until the instant, and never again', async () => {
    const { time, contract, without } = bench();
    contract.prepare(END);
    contract.schedule(100);
    equal(without(50), 0);
    await time.advance(100);
    deepEqual([without(100), without(101), without(1e9)], [1, 1, 1]);
    deepEqual(contract.cutOver?.closing, CLOSING);
  });

  it('goes on after a restart as if there had been none, before the instant and after', async () => {
    for (const order of [BEGIN, END]) {
      const [first, second, third] = [bench(), bench(), bench()];
      first.contract.prepare(order);
      first.contract.schedule(100);
      second.contract.restore(first.contract.snapshot());
      equal(second.without(50), first.without(50));
      await second.time.advance(100);
      third.contract.restore(second.contract.snapshot());
      deepEqual(third.contract.cutOver, second.contract.cutOver);
      deepEqual([third.without(100), third.without(101)], [second.without(100), second.without(101)]);
    }
  });

  it('reads for nobody new when it is withdrawn, or when the card refuses', async () => {
    const withdrawn = bench();
    withdrawn.contract.prepare(BEGIN);
    withdrawn.contract.schedule(100);
    equal(withdrawn.contract.withdraw(), true);
    const refused = bench(true);
    refused.contract.prepare(BEGIN);
    refused.contract.schedule(100);
    for (const { time, without } of [withdrawn, refused]) {
      await time.advance(200);
      equal(without(200), 1);
    }
    deepEqual([withdrawn.seen, refused.seen], [[], ['refused']]);
  });

  it('does not take bytes for an order that name no applet', () => {
    throws(() => bench().contract.restore('{"order":7}'));
    const { contract } = bench();
    equal(contract.schedule(100), false);
  });
});
