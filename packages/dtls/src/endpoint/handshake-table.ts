import type { Handshake } from '../handshake/handshake.ts';
import { cidKey } from '../session/session-table.ts';
import type { DtlsLimits } from '../settings.ts';

/** The handshakes under way of one endpoint, counted per source address. */
export class HandshakeTable {
  readonly #limits: DtlsLimits;
  readonly #byAddress = new Map<string, Handshake>();
  readonly #byCid = new Map<string, Handshake>();
  readonly #perSource = new Map<string, number>();

  constructor(limits: DtlsLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#byAddress.size;
  }

  values(): Handshake[] {
    return [...this.#byAddress.values()];
  }

  atAddress(linkKey: string): Handshake | undefined {
    return this.#byAddress.get(linkKey);
  }

  withCid(cid: Uint8Array): Handshake | undefined {
    return this.#byCid.get(cidKey(cid));
  }

  /** False when so many are under way, in all or from this source, that another one has to wait. */
  hasRoomFor(sourceAddress: string): boolean {
    return (
      this.#byAddress.size < this.#limits.maxHalfOpen &&
      (this.#perSource.get(sourceAddress) ?? 0) < this.#limits.maxHalfOpenPerSource
    );
  }

  add(handshake: Handshake): void {
    const { key, address } = handshake.link;
    this.#byAddress.set(key, handshake);
    this.#perSource.set(address, (this.#perSource.get(address) ?? 0) + 1);
  }

  nameCid(handshake: Handshake, cid: Uint8Array): void {
    this.#byCid.set(cidKey(cid), handshake);
  }

  remove(handshake: Handshake): void {
    const { key, address } = handshake.link;
    if (this.#byAddress.get(key) !== handshake) return;
    this.#byAddress.delete(key);
    if (handshake.receiveCid !== undefined) this.#byCid.delete(cidKey(handshake.receiveCid));
    const left = (this.#perSource.get(address) ?? 1) - 1;
    if (left > 0) this.#perSource.set(address, left);
    else this.#perSource.delete(address);
  }
}
