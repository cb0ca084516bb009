import type { Fingerprint } from '../codec/hash.ts';

/**
 * Three whole generations and the one being filled remember a message for its lifetime, and for a third more
 * at most.
 */
const GENERATIONS = 4;
const FIRST_CAPACITY = 16;
const RECORD_WORDS = 4;
/** A record and its two places in the index. */
const ROW_BYTES = 24;
/** What a generation starts with for each message, and what it must have left for the next. */
const EXPECTED_ANSWER_BYTES = 16;
const USUAL_ANSWER_BYTES = 64;
/** Answers are datagrams, so a length fits 16 bits; the values above mark what is not an answer. */
const STATE_PENDING = 0x10000;
const STATE_ACKNOWLEDGED = 0x10001;
/** A handle is generation and record in one number, so that the hot path makes no object. */
const HANDLE_RECORDS = 0x1000000;

/** What was answered to a message that came again: an encoded datagram, or how far its handling is. */
export type EarlierAnswer = Uint8Array | 'pending' | 'acknowledged';

/**
 * Recognises messages that arrive again (RFC 7252 §4.5) and keeps the datagrams that answered them.
 *
 * A message is known by a fingerprint of 64 bits over the peer's key, message id, code and token. The
 * token is part of it so that a peer that is done with a message id and takes it anew early is not mistaken
 * for a repetition. All of it lives in typed arrays outside of the garbage collector's sight, in generations
 * by age: when the time or the memory of one is over, the oldest generation goes as a whole.
 */
export class Deduplicator {
  readonly #lifetimeMs: number;
  readonly #sliceMs: number;
  readonly #generationBytes: number;
  #generations: Generation[] = [];
  #serial = 0;
  #rotateAtMs = 0;
  /** Generations dropped before their time because the memory was full. */
  evictedEarly = 0;

  constructor(lifetimeMs: number, maxBytes: number) {
    this.#lifetimeMs = lifetimeMs;
    this.#sliceMs = lifetimeMs / (GENERATIONS - 1);
    this.#generationBytes = Math.max(1024, Math.floor(maxBytes / GENERATIONS));
  }

  /** The handle of the message with that fingerprint, or -1. */
  find(fingerprint: Fingerprint, nowMs: number): number {
    if (nowMs >= this.#rotateAtMs) this.#rotate(nowMs);
    for (const generation of this.#generations) {
      const record = generation.find(fingerprint.a, fingerprint.b);
      if (record >= 0) return generation.serial * HANDLE_RECORDS + record;
    }
    return -1;
  }

  /** Remembers a message that {@link find} did not find; returns its handle. */
  add(fingerprint: Fingerprint, nowMs: number): number {
    let current = this.#generations[0];
    if (current === undefined || !current.hasRoom) {
      if (current !== undefined && this.#generations.length === GENERATIONS) this.evictedEarly++;
      this.#rotate(nowMs);
      current = this.#generations[0];
      if (current === undefined) return -1;
    }
    return current.serial * HANDLE_RECORDS + current.add(fingerprint.a, fingerprint.b);
  }

  answered(handle: number, datagram: Uint8Array): void {
    this.#generation(handle)?.answered(handle % HANDLE_RECORDS, datagram);
  }

  acknowledged(handle: number): void {
    this.#generation(handle)?.acknowledged(handle % HANDLE_RECORDS);
  }

  earlierAnswer(handle: number): EarlierAnswer {
    return this.#generation(handle)?.earlierAnswer(handle % HANDLE_RECORDS) ?? 'pending';
  }

  /** Bytes held now. */
  get bytes(): number {
    let bytes = 0;
    for (const generation of this.#generations) bytes += generation.bytes;
    return bytes;
  }

  #generation(handle: number): Generation | undefined {
    const serial = Math.floor(handle / HANDLE_RECORDS);
    for (const generation of this.#generations) if (generation.serial === serial) return generation;
    return undefined;
  }

  #rotate(nowMs: number): void {
    const [previous] = this.#generations;
    if (previous !== undefined) previous.untilMs = Math.min(nowMs, this.#rotateAtMs);
    // Nothing turns while no message comes, so a whole generation may have aged in between.
    const kept = this.#generations
      .slice(0, GENERATIONS - 1)
      .filter((generation) => generation.untilMs + this.#lifetimeMs > nowMs);
    const expected = kept.length === 0 ? 0 : (previous?.count ?? 0);
    this.#generations = [new Generation(++this.#serial, expected, this.#generationBytes), ...kept];
    this.#rotateAtMs = nowMs + this.#sliceMs;
  }
}

/** A hash table of messages that arrived in one slice of time. */
class Generation {
  readonly serial: number;
  /** When its last message may have arrived; known once it is no longer filled. */
  untilMs = 0;
  count = 0;
  /** hashA, hashB, offset of the answer, length or state of the answer; one row a message. */
  #records: Uint32Array;
  /** Row + 1 by hash, 0 for a free place; at most half full. */
  #index: Uint32Array;
  #answers: Uint8Array;
  #answersUsed = 0;
  readonly #maxBytes: number;

  constructor(serial: number, expected: number, maxBytes: number) {
    this.serial = serial;
    this.#maxBytes = maxBytes;
    let capacity = FIRST_CAPACITY;
    while (capacity < expected && capacity * 2 * (ROW_BYTES + EXPECTED_ANSWER_BYTES) <= maxBytes)
      capacity *= 2;
    this.#records = new Uint32Array(capacity * RECORD_WORDS);
    this.#index = new Uint32Array(capacity * 2);
    this.#answers = new Uint8Array(capacity * EXPECTED_ANSWER_BYTES);
  }

  get bytes(): number {
    return this.#records.byteLength + this.#index.byteLength + this.#answers.byteLength;
  }

  /** The next message and an answer of usual size fit, if need be after growing. */
  get hasRoom(): boolean {
    const spare = this.#maxBytes - this.bytes;
    const rowsFull = this.count * RECORD_WORDS === this.#records.length;
    if (rowsFull && this.#records.byteLength + this.#index.byteLength > spare) return false;
    return this.#answersUsed + USUAL_ANSWER_BYTES <= this.#answers.length + Math.max(0, spare);
  }

  find(hashA: number, hashB: number): number {
    const mask = this.#index.length - 1;
    for (let place = hashB & mask; ; place = (place + 1) & mask) {
      const row = this.#index[place] ?? 0;
      if (row === 0) return -1;
      const at = (row - 1) * RECORD_WORDS;
      if (this.#records[at] === hashA && this.#records[at + 1] === hashB) return row - 1;
    }
  }

  add(hashA: number, hashB: number): number {
    if (this.count * RECORD_WORDS === this.#records.length) this.#grow();
    const record = this.count++;
    const at = record * RECORD_WORDS;
    this.#records[at] = hashA;
    this.#records[at + 1] = hashB;
    this.#records[at + 3] = STATE_PENDING;
    this.#enter(record, hashB);
    return record;
  }

  answered(record: number, datagram: Uint8Array): void {
    const at = record * RECORD_WORDS;
    const { length } = datagram;
    // Over the limit the answer is not kept: a repetition is then met with silence, as if this answer was
    // lost.
    if (this.#answersUsed + length > this.#answers.length && !this.#growAnswers(length)) return;
    this.#records[at + 2] = this.#answersUsed;
    this.#records[at + 3] = length;
    if (length > 64) this.#answers.set(datagram, this.#answersUsed);
    else for (let i = 0; i < length; i++) this.#answers[this.#answersUsed + i] = datagram[i] ?? 0;
    this.#answersUsed += length;
  }

  acknowledged(record: number): void {
    this.#records[record * RECORD_WORDS + 3] = STATE_ACKNOWLEDGED;
  }

  earlierAnswer(record: number): EarlierAnswer {
    const at = record * RECORD_WORDS;
    const state = this.#records[at + 3] ?? STATE_PENDING;
    if (state === STATE_PENDING) return 'pending';
    if (state === STATE_ACKNOWLEDGED) return 'acknowledged';
    const start = this.#records[at + 2] ?? 0;
    return this.#answers.subarray(start, start + state);
  }

  #growAnswers(length: number): boolean {
    const needed = this.#answersUsed + length;
    const most = this.#answers.length + this.#maxBytes - this.bytes;
    if (needed > most) return false;
    const answers = new Uint8Array(Math.max(needed, Math.min(this.#answers.length * 2, most)));
    answers.set(this.#answers.subarray(0, this.#answersUsed));
    this.#answers = answers;
    return true;
  }

  #enter(record: number, hashB: number): void {
    const mask = this.#index.length - 1;
    let place = hashB & mask;
    while (this.#index[place] !== 0) place = (place + 1) & mask;
    this.#index[place] = record + 1;
  }

  #grow(): void {
    const records = new Uint32Array(this.#records.length * 2);
    records.set(this.#records);
    this.#records = records;
    this.#index = new Uint32Array(this.#index.length * 2);
    for (let record = 0; record < this.count; record++) {
      this.#enter(record, records[record * RECORD_WORDS + 1] ?? 0);
    }
  }
}
