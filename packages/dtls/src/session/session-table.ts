import type { Peer } from '@sefleet/runtime';
import type { Session } from './session.ts';

/** How many sessions are looked at for one that may make room. */
const EVICTION_LOOKS = 16;

/**
 * An endpoint's sessions by everything that finds them: their key, the peer's address, the connection ID that
 * it uses.
 */
export class SessionTable {
  readonly #byKey = new Map<string, Session>();
  readonly #byAddress = new Map<string, Session>();
  readonly #byCid = new Map<string, Session>();

  get size(): number {
    return this.#byKey.size;
  }

  values(): IterableIterator<Session> {
    return this.#byKey.values();
  }

  withKey(key: string): Session | undefined {
    return this.#byKey.get(key);
  }

  atAddress(linkKey: string): Session | undefined {
    return this.#byAddress.get(linkKey);
  }

  withCid(cid: Uint8Array): Session | undefined {
    return this.#byCid.get(cidKey(cid));
  }

  add(session: Session): void {
    this.#byKey.set(session.key, session);
    this.#byAddress.set(session.link.key, session);
    const { receiveCid } = session.records;
    if (receiveCid !== undefined) this.#byCid.set(cidKey(receiveCid), session);
  }

  /** False when it was not there. */
  remove(session: Session): boolean {
    if (this.#byKey.get(session.key) !== session) return false;
    this.#byKey.delete(session.key);
    if (this.#byAddress.get(session.link.key) === session) this.#byAddress.delete(session.link.key);
    const { receiveCid } = session.records;
    if (receiveCid !== undefined) this.#byCid.delete(cidKey(receiveCid));
    return true;
  }

  /** The address now belongs to this session; whoever had it is found by its connection ID only. */
  move(session: Session, link: Peer): void {
    if (this.#byAddress.get(session.link.key) === session) this.#byAddress.delete(session.link.key);
    session.link = link;
    this.#byAddress.set(link.key, session);
  }

  /** A session not heard of since `beforeMs`. Looks at a few only, and at others the next time. */
  stale(beforeMs: number): Session | undefined {
    let looks = 0;
    for (const session of this.#byKey.values()) {
      if (session.lastHeardMs < beforeMs) return session;
      if (++looks > EVICTION_LOOKS) return undefined;
      this.#byKey.delete(session.key);
      this.#byKey.set(session.key, session);
    }
    return undefined;
  }

  clear(): void {
    this.#byKey.clear();
    this.#byAddress.clear();
    this.#byCid.clear();
  }
}

/** Bytes as a string, one character each: the cheapest key that a Map takes by value. */
export function cidKey(cid: Uint8Array): string {
  let key = '';
  for (const byte of cid) key += String.fromCharCode(byte);
  return key;
}
