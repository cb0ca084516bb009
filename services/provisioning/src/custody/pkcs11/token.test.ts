import { equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CallMemory } from './call-memory.ts';
import { CKF } from './cryptoki-constants.ts';
import type { Cryptoki } from './cryptoki.ts';
import { findSlot } from './token.ts';

const BASE = 0x1000n;
const CKR_BUFFER_TOO_SMALL = 0x150n;

/** A module that has slots with these labels and nothing else. */
function moduleWith(labels: readonly string[]): Cryptoki {
  let shared = new ArrayBuffer(0);
  const memory = new CallMemory((buffer) => {
    shared = buffer;
    return BASE;
  });
  const at = (address: bigint): number => Number(address - BASE);
  const calls: Partial<Cryptoki['calls']> = {};
  Object.assign(calls, {
    C_GetSlotList: (_present: number, list: bigint, count: bigint) => {
      const view = new DataView(shared);
      const room = view.getBigUint64(at(count), true);
      view.setBigUint64(at(count), BigInt(labels.length), true);
      if (list === 0n) return 0n;
      if (room < BigInt(labels.length)) return CKR_BUFFER_TOO_SMALL;
      labels.forEach((_, i) => view.setBigUint64(at(list) + i * 8, BigInt(i), true));
      return 0n;
    },
    C_GetTokenInfo: (slot: bigint, info: bigint) => {
      const label = Buffer.from((labels[Number(slot)] ?? '').padEnd(32));
      new Uint8Array(shared).set(label, at(info));
      new DataView(shared).setBigUint64(at(info) + 96, CKF.TOKEN_INITIALIZED, true);
      return 0n;
    },
  });
  // The two functions that looking for a slot needs.
  return { calls: calls as Cryptoki['calls'], memory, close: () => undefined };
}

describe('the slots of a module', () => {
  it('are searched whole, however many there are', () => {
    const labels = Array.from({ length: 2000 }, (_, i) => `party-${i}`);
    equal(findSlot(moduleWith(labels), 'party-1999'), 1999n);
    equal(findSlot(moduleWith(labels), 'party'), undefined);
    equal(findSlot(moduleWith([]), 'party'), undefined);
  });

  it('with two tokens of one label are refused: keys would be in either', () => {
    throws(() => findSlot(moduleWith(['a', 'b', 'a']), 'a'), { code: 'CUSTODY_TOKEN_REFUSED' });
  });
});
