/** A secure element as the server drives it. */
export interface ServedSecureElement {
  /** Powers the chip and returns its answer to reset. */
  powerOn(): Uint8Array;
  reset(warm: boolean): Uint8Array;
  transmit(apdu: Uint8Array): Uint8Array | Promise<Uint8Array>;
  powerOff(): void;
}

/** The secure elements of a server. */
export interface SecureElementDirectory {
  seids(): Iterable<string>;
  find(seid: string): ServedSecureElement | undefined;
}

/**
 * Who holds which element: powered on by a session, an element is that session's alone until it is shut down.
 */
export class LockTable {
  readonly #holders = new Map<string, { readonly session: object; readonly element: ServedSecureElement }>();

  /** The session that holds `seid`, if any. */
  holder(seid: string): object | undefined {
    return this.#holders.get(seid)?.session;
  }

  lock(seid: string, session: object, element: ServedSecureElement): void {
    this.#holders.set(seid, { session, element });
  }

  unlock(seid: string): void {
    this.#holders.delete(seid);
  }

  /** Forgets the locks of a session and returns their elements, as they were when they were locked. */
  release(session: object): readonly ServedSecureElement[] {
    const held = [...this.#holders].filter(([, holder]) => holder.session === session);
    for (const [seid] of held) this.#holders.delete(seid);
    return held.map(([, { element }]) => element);
  }
}
