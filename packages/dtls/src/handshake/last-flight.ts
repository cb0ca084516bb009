import type { Timer, Timers } from '@sefleet/runtime';
import type { HandshakeFragment } from '../codec/handshake-fragment.ts';
import type { FlightWriter } from './flight.ts';

/** How a flight travels, and what asks for it. */
interface Repetition {
  readonly mtu: number;
  readonly transmit: (datagram: Uint8Array) => void;
  /** message_seq of the peer's Finished. */
  readonly answers: number;
}

/**
 * What remains of a handshake on the side that spoke last: its flight, to be sent again while the peer asks
 * for it by repeating its own (RFC 6347 §4.2.4). The rest of the handshake is let go at once, as a fleet that
 * connects makes many.
 */
export class LastFlight {
  readonly #writer: FlightWriter;
  readonly #repetition: Repetition;
  #timer: Timer | undefined;

  constructor(writer: FlightWriter, repetition: Repetition) {
    this.#writer = writer;
    this.#repetition = repetition;
  }

  /** Calls `retire` once the peer has had all its time to ask. */
  keep(timers: Timers, graceMs: number, retire: () => void): void {
    this.#timer = timers.after(graceMs, retire);
  }

  /**
   * Handshake fragments under keys after the handshake is complete: the peer's Finished again is the
   * question.
   */
  receive(fragments: readonly HandshakeFragment[]): void {
    const { mtu, transmit, answers } = this.#repetition;
    if (!fragments.some((fragment) => fragment.messageSeq === answers)) return;
    for (const datagram of this.#writer.datagrams(mtu)) transmit(datagram);
  }

  dispose(): void {
    this.#timer?.cancel();
  }
}
