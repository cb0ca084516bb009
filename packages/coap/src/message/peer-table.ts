import type { Clock, Peer } from '@sefleet/runtime';

/** Idle entries beyond this number make room early, so that spoofed sources cannot fill the memory. */
const MAX_IDLE_ENTRIES = 65_536;

/**
 * State by peer that forgets who was idle for `idleMs` to twice that time. Ageing costs nothing until an
 * entry is made: there are two generations, and an entry that is asked for moves to the young one.
 */
export class PeerTable<State> {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #create: (peer: Peer) => State;
  readonly #isIdle: (state: State) => boolean;
  #young = new Map<string, State>();
  #old = new Map<string, State>();
  #rotateAtMs: number;

  constructor(
    clock: Clock,
    idleMs: number,
    create: (peer: Peer) => State,
    isIdle: (state: State) => boolean,
  ) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#create = create;
    this.#isIdle = isIdle;
    this.#rotateAtMs = clock.monotonicMs() + idleMs;
  }

  find(key: string): State | undefined {
    return this.#young.get(key) ?? (this.#old.size === 0 ? undefined : this.#old.get(key));
  }

  obtain(peer: Peer): State {
    const young = this.#young.get(peer.key);
    if (young !== undefined) return young;
    if (this.#young.size >= MAX_IDLE_ENTRIES || this.#clock.monotonicMs() >= this.#rotateAtMs) this.#rotate();
    const state = this.#old.get(peer.key) ?? this.#create(peer);
    this.#old.delete(peer.key);
    this.#young.set(peer.key, state);
    return state;
  }

  /** Removes and returns the state of a peer. */
  take(key: string): State | undefined {
    const state = this.find(key);
    this.#young.delete(key);
    this.#old.delete(key);
    return state;
  }

  *values(): IterableIterator<State> {
    yield* this.#young.values();
    yield* this.#old.values();
  }

  #rotate(): void {
    const kept = new Map<string, State>();
    for (const [key, state] of this.#old) if (!this.#isIdle(state)) kept.set(key, state);
    this.#old = this.#young;
    this.#young = kept;
    this.#rotateAtMs = this.#clock.monotonicMs() + this.#idleMs;
  }
}
