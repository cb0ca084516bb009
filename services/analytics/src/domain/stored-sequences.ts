import type { StoredRange } from './ports.ts';

/**
 * Gaps that one device may have in its sequence. A device sends in order, so there is one gap for every
 * message under way; only a device that forges its numbers gets near, and it must not cost memory without
 * end.
 */
export const MAX_RANGES_PER_DEVICE = 1024;

/** What became of a sequence number that was offered. */
export type SequenceVerdict = 'new' | 'duplicate' | 'tooSparse';

/**
 * The sequence numbers that are stored, of every device and stakeholder, as ranges: usually one range a
 * device, whatever the number of records.
 */
export class StoredSequences {
  /** Sorted, disjoint and not touching: first, last, first, last, ... */
  readonly #ranges = new Map<string, number[]>();

  /** Takes over what the store holds. */
  load(range: StoredRange): void {
    const key = keyOf(range.stakeholder, range.endpoint);
    const ranges = this.#ranges.get(key) ?? [];
    this.#ranges.set(key, ranges);
    if (range.first > (ranges.at(-1) ?? 0) + 1 || ranges.length === 0) {
      ranges.push(range.first, range.last);
      return;
    }
    for (let sequence = range.first; sequence <= range.last; sequence++) insertInto(ranges, sequence);
  }

  /** Whether the sequence number is stored, or would be one gap too many. Changes nothing. */
  check(stakeholder: string, endpoint: string, sequence: number): SequenceVerdict {
    const ranges = this.#ranges.get(keyOf(stakeholder, endpoint));
    if (ranges === undefined) return 'new';
    const at = positionOf(ranges, sequence);
    if (at % 2 === 1 || ranges[at] === sequence) return 'duplicate';
    const touches = ranges[at - 1] === sequence - 1 || ranges[at] === sequence + 1;
    return touches || ranges.length < 2 * MAX_RANGES_PER_DEVICE ? 'new' : 'tooSparse';
  }

  /** The sequence number is stored from now on. */
  add(stakeholder: string, endpoint: string, sequence: number): void {
    const key = keyOf(stakeholder, endpoint);
    const ranges = this.#ranges.get(key);
    if (ranges === undefined) this.#ranges.set(key, [sequence, sequence]);
    else insertInto(ranges, sequence);
  }
}

function keyOf(stakeholder: string, endpoint: string): string {
  // A stakeholder's name holds no blank.
  return `${stakeholder} ${endpoint}`;
}

/**
 * The first index whose number is >= `sequence`: odd inside of a range, even between two or at a range's
 * start.
 */
function positionOf(ranges: readonly number[], sequence: number): number {
  // In order is the rule: look at the end first.
  if ((ranges.at(-1) ?? 0) < sequence) return ranges.length;
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ranges[middle] ?? 0) < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function insertInto(ranges: number[], sequence: number): void {
  const at = positionOf(ranges, sequence);
  if (at % 2 === 1 || ranges[at] === sequence) return;
  const joinsBefore = at > 0 && ranges[at - 1] === sequence - 1;
  const joinsAfter = ranges[at] === sequence + 1;
  if (joinsBefore && joinsAfter) ranges.splice(at - 1, 2);
  else if (joinsBefore) ranges[at - 1] = sequence;
  else if (joinsAfter) ranges[at] = sequence;
  else ranges.splice(at, 0, sequence, sequence);
}
