/** Something that is searched for, and what to call it when it is found. */
export interface Needle {
  readonly bytes: Uint8Array;
  readonly label: string;
}

/** Shorter than this, bytes are found by chance. */
const BYTES_MIN = 8;
const PAIRS = 0x1_0000;
const BASE64_GROUP = 3;
/** So few needles the machine finds faster one by one. */
const FEW = 32;

/**
 * The forms in which a secret appears in files and memory: its bytes, hexadecimal in both cases, and base64,
 * plain and for URLs, wherever in a longer text it begins.
 */
export function formsOf(secret: Uint8Array): readonly Uint8Array[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const texts = new Set([hex, hex.toUpperCase()]);
  for (let before = 0; before < BASE64_GROUP; before++) {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Only the signs that no byte before or after has a part in.
    const first = Math.ceil((before * 4) / BASE64_GROUP);
    const last = Math.floor(((before + bytes.length) * 4) / BASE64_GROUP);
    const inner = text.slice(first, last);
    texts.add(inner).add(inner.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return [bytes, ...[...texts].map((text) => Buffer.from(text))];
}

/** Looks for many needles in one pass: candidates by their first two bytes, then the whole. */
export class NeedleSearch {
  readonly longest: number;
  readonly #byPair: (Needle[] | undefined)[] = Array.from({ length: PAIRS });
  readonly #begins = new Uint8Array(PAIRS);
  readonly #few: readonly Needle[] | undefined;

  /** Needles that are too short to mean anything are left out. */
  constructor(needles: readonly Needle[]) {
    let longest = 0;
    for (const needle of needles) {
      if (needle.bytes.length < BYTES_MIN) continue;
      longest = Math.max(longest, needle.bytes.length);
      const pair = pairAt(needle.bytes, 0);
      (this.#byPair[pair] ??= []).push(needle);
      this.#begins[pair] = 1;
    }
    this.longest = longest;
    this.#few = needles.length <= FEW ? needles.filter(({ bytes }) => bytes.length >= BYTES_MIN) : undefined;
  }

  /** The labels of all needles that stand in `data`, once for each place. */
  find(data: Buffer): readonly string[] {
    if (this.#few !== undefined)
      return this.#few.flatMap(({ bytes, label }) => (data.includes(bytes) ? [label] : []));
    const found: string[] = [];
    const begins = this.#begins;
    const end = data.length - 1;
    let pair = data[0] ?? 0;
    // A gigabyte goes through here: a byte, a look-up and nothing else for nearly all of them.
    for (let at = 0; at < end; at++) {
      pair = ((pair << 8) & 0xff00) | (data[at + 1] ?? 0);
      if (begins[pair] !== 0) this.#match(data, at, pair, found);
    }
    return found;
  }

  #match(data: Buffer, at: number, pair: number, found: string[]): void {
    const [third, fourth] = [data[at + 2], data[at + 3]];
    for (const { bytes, label } of this.#byPair[pair] ?? []) {
      // Asking the system to compare costs more than all that was done before.
      if (bytes[2] !== third || bytes[3] !== fourth || data.length - at < bytes.length) continue;
      if (data.compare(bytes, 0, bytes.length, at, at + bytes.length) === 0) found.push(label);
    }
  }
}

function pairAt(data: Uint8Array, at: number): number {
  return ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
}
