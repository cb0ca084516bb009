import type { SefleetError } from '@sefleet/errors';
import type { Peer, Timer } from '@sefleet/runtime';
import type { Fate, SentMessage } from './transport.ts';

/** What a transmission asks of the layer that owns it. */
export interface TransmissionOwner {
  transmit(transmission: Transmission): void;
  /** Its time-out ran out. */
  expired(transmission: Transmission): void;
  /** It is over, in whatever way: the next in the peer's queue may start. */
  release(transmission: Transmission): void;
}

/** What is under way to one peer. */
export interface PeerTraffic {
  readonly peer: Peer;
  nextMessageId: number;
  /** Started and not over, by message id. */
  readonly transmissions: Map<number, Transmission>;
  /** Waiting for their turn (RFC 7252 §4.7). */
  readonly waiting: Transmission[];
}

/** One confirmable message from its queue to its acknowledgement (RFC 7252 §4.2). */
export class Transmission implements SentMessage {
  readonly traffic: PeerTraffic;
  readonly messageId: number;
  /** The datagram; retransmissions are the same bytes. */
  readonly data: Uint8Array;
  readonly fate: Fate | undefined;
  timeoutMs = 0;
  retransmissions = 0;
  timer: Timer | undefined;
  over = false;
  readonly #owner: TransmissionOwner;

  constructor(
    owner: TransmissionOwner,
    traffic: PeerTraffic,
    messageId: number,
    data: Uint8Array,
    fate: Fate | undefined,
  ) {
    this.#owner = owner;
    this.traffic = traffic;
    this.messageId = messageId;
    this.data = data;
    this.fate = fate;
  }

  readonly onTimeout = (): void => this.#owner.expired(this);

  withdraw(): void {
    if (this.over) return;
    this.over = true;
    this.timer?.cancel();
    this.timer = undefined;
    this.#owner.release(this);
  }

  acknowledged(): void {
    if (this.over) return;
    this.withdraw();
    this.fate?.acknowledged();
  }

  failed(error: SefleetError): void {
    if (this.over) return;
    this.withdraw();
    this.fate?.failed(error);
  }
}
