import {
  encodeWholeMessage,
  HANDSHAKE_HEADER_LENGTH,
  type HandshakeFragment,
} from '../codec/handshake-fragment.ts';

/** A handshake message whose pieces have all come. */
export interface IncomingMessage {
  readonly type: number;
  readonly body: Uint8Array;
  /** Header and body, as the transcript wants them. */
  readonly whole: Uint8Array;
  readonly epoch: number;
  /** The highest sequence number among the records that brought it. */
  readonly recordSequence: number;
}

/** Bytes that all handshakes of an endpoint may hold together. */
export interface ReassemblyBudget {
  used: number;
  readonly max: number;
}

/** How a fragment fared. `old`: its message was handled before, so the peer repeats itself. */
export type FragmentFate = 'stored' | 'old' | 'refused';

interface Partial {
  readonly type: number;
  readonly length: number;
  readonly epoch: number;
  recordSequence: number;
  pieces: HandshakeFragment[];
}

/** A flight has at most seven messages: nothing honest is further ahead. */
const MESSAGES_AHEAD_MAX = 10;
/**
 * The smallest useful MTU cuts the largest message into about this many pieces; more is an attack on our
 * memory.
 */
const PIECES_MAX = 256;

/**
 * Puts fragments in any order, overlapping or repeated, back together and hands out messages in order. RFC
 * 6347 §4.2.3.
 */
export class Reassembler {
  readonly #limits: { readonly maxHandshakeMessage: number; readonly maxReassembly: number };
  readonly #budget: ReassemblyBudget;
  readonly #partials = new Map<number, Partial>();
  #held = 0;
  /** The message_seq that is handed out next. */
  nextSeq: number;

  constructor(
    limits: { readonly maxHandshakeMessage: number; readonly maxReassembly: number },
    budget: ReassemblyBudget,
    nextSeq: number,
  ) {
    this.#limits = limits;
    this.#budget = budget;
    this.nextSeq = nextSeq;
  }

  /** Takes a copy of a fragment. */
  add(fragment: HandshakeFragment, epoch: number, recordSequence: number): FragmentFate {
    const { type, length, messageSeq } = fragment;
    if (messageSeq < this.nextSeq) return 'old';
    if (messageSeq >= this.nextSeq + MESSAGES_AHEAD_MAX || length > this.#limits.maxHandshakeMessage)
      return 'refused';
    const partial = this.#partials.get(messageSeq) ?? { type, length, epoch, recordSequence, pieces: [] };
    // A message is told by its first fragment; pieces that contradict it are not its own.
    if (partial.type !== type || partial.length !== length || partial.epoch !== epoch) return 'refused';
    if (partial.pieces.some((piece) => covers(piece, fragment))) return 'stored';
    if (partial.pieces.length >= PIECES_MAX || !this.#reserve(fragment.body.length)) return 'refused';
    partial.pieces.push({ ...fragment, body: fragment.body.slice() });
    partial.recordSequence = Math.max(partial.recordSequence, recordSequence);
    this.#partials.set(messageSeq, partial);
    return 'stored';
  }

  /** The next message in order, or undefined while a piece of it is missing. */
  take(): IncomingMessage | undefined {
    const partial = this.#partials.get(this.nextSeq);
    if (partial === undefined) return undefined;
    const body = join(partial);
    if (body === undefined) return undefined;
    this.#partials.delete(this.nextSeq);
    for (const piece of partial.pieces) this.#release(piece.body.length);
    const { type, epoch, recordSequence } = partial;
    const whole = encodeWholeMessage(type, this.nextSeq, body);
    this.nextSeq++;
    return { type, body: whole.subarray(HANDSHAKE_HEADER_LENGTH), whole, epoch, recordSequence };
  }

  /** Gives everything held back to the budget. */
  clear(): void {
    this.#release(this.#held);
    this.#partials.clear();
  }

  #reserve(bytes: number): boolean {
    if (this.#held + bytes > this.#limits.maxReassembly || this.#budget.used + bytes > this.#budget.max)
      return false;
    this.#held += bytes;
    this.#budget.used += bytes;
    return true;
  }

  #release(bytes: number): void {
    this.#held -= bytes;
    this.#budget.used -= bytes;
  }
}

function covers(held: HandshakeFragment, fragment: HandshakeFragment): boolean {
  return (
    held.offset <= fragment.offset && held.offset + held.body.length >= fragment.offset + fragment.body.length
  );
}

function join(partial: Partial): Uint8Array | undefined {
  const [first] = partial.pieces;
  if (first?.offset === 0 && first.body.length === partial.length) return first.body;
  const pieces = partial.pieces.toSorted((a, b) => a.offset - b.offset);
  let reached = 0;
  for (const piece of pieces) {
    if (piece.offset > reached) return undefined;
    reached = Math.max(reached, piece.offset + piece.body.length);
  }
  if (reached < partial.length) return undefined;
  const body = new Uint8Array(partial.length);
  for (const piece of pieces) body.set(piece.body, piece.offset);
  return body;
}
