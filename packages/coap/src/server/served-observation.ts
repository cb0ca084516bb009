import type { SefleetError } from '@sefleet/errors';
import type { Peer } from '@sefleet/runtime';
import { CODE } from '../constants.ts';
import type { Fate } from '../message/transport.ts';
import type { NotificationOutcome, NotifyOptions, ObservationEnd, ServerObservation } from '../request.ts';
import type { CoapReply } from '../response.ts';

/** What an observation asks of the registry that it is in. */
export interface ObservationOwner {
  /** True when the time for a confirmable notification has come. */
  isConfirmationDue(observation: ServedObservation): boolean;
  /** Sends the notification and returns its message id. */
  transmit(
    observation: ServedObservation,
    reply: CoapReply,
    confirmable: boolean,
    fate: Fate | undefined,
  ): number;
  /** True when a notification must wait until its forerunner is acknowledged. */
  readonly awaitsAcknowledgement: boolean;
  readonly maxQueued: number;
  remove(observation: ServedObservation): void;
}

interface Queued {
  readonly reply: CoapReply;
  readonly options: NotifyOptions;
}

/** Ids of the last non-confirmable notifications, by which a Reset finds its observation (RFC 7641 §3.6). */
const REMEMBERED_IDS = 8;
/** The Observe option has 24 bits (RFC 7641 §4.4). */
const SEQUENCE_MASK = 0xffffff;

/** One observer of a resource of ours (RFC 7641 §4). */
export class ServedObservation implements ServerObservation, Fate {
  readonly peer: Peer;
  readonly token: Uint8Array;
  /** Of the request that registered: later blocks of a notification are asked for under the same key. */
  readonly transferKey: string;
  readonly blockSize: number;
  readonly #owner: ObservationOwner;
  #active = true;
  /** The reply to the registration is out; notifications before it wait, so that they do not overtake it. */
  #started = false;
  #sequence = 1;
  #sinceConfirmed = 0;
  #confirmedAtMs: number;
  #underWay: Queued | undefined;
  #queue: Queued[] = [];
  #recentIds: number[] = [];
  #endListener: ((reason: ObservationEnd) => void) | undefined;

  constructor(
    owner: ObservationOwner,
    peer: Peer,
    token: Uint8Array,
    transferKey: string,
    blockSize: number,
    nowMs: number,
  ) {
    this.#owner = owner;
    this.peer = peer;
    this.token = token;
    this.transferKey = transferKey;
    this.blockSize = blockSize;
    this.#confirmedAtMs = nowMs;
  }

  get active(): boolean {
    return this.#active;
  }

  /** Notifications since the last confirmable one, and when that was. */
  get sinceConfirmed(): number {
    return this.#sinceConfirmed;
  }

  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  /** The number of the next notification. */
  nextSequence(): number {
    this.#sequence = (this.#sequence + 1) & SEQUENCE_MASK;
    return this.#sequence;
  }

  notify(reply: CoapReply, options: NotifyOptions = {}): void {
    if (!this.#active) {
      options.settled?.('failed');
      return;
    }
    if (this.#started && this.#underWay === undefined) this.#transmit({ reply, options });
    else this.#enqueue({ reply, options });
  }

  end(): void {
    this.finish('ended');
  }

  onEnd(listener: (reason: ObservationEnd) => void): void {
    this.#endListener = listener;
  }

  /** The reply to the registration was sent. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    this.#next();
  }

  sentNonConfirmable(messageId: number): boolean {
    return this.#recentIds.includes(messageId);
  }

  confirmedAt(nowMs: number): void {
    this.#confirmedAtMs = nowMs;
  }

  acknowledged(): void {
    this.#settle('acknowledged');
    this.#next();
  }

  failed(error: SefleetError): void {
    // RFC 7641 §4.5: who refuses or never acknowledges a notification is no longer interested.
    this.#settle('failed');
    const reasons: Record<string, ObservationEnd> = {
      COAP_RESET: 'reset',
      COAP_PEER_GONE: 'peer-gone',
      COAP_CLOSED: 'closed',
    };
    this.finish(reasons[error.code] ?? 'timeout');
  }

  finish(reason: ObservationEnd): void {
    if (!this.#active) return;
    this.#active = false;
    this.#owner.remove(this);
    for (const { options } of this.#queue.splice(0)) options.settled?.('failed');
    this.#endListener?.(reason);
  }

  #enqueue(queued: Queued): void {
    if (queued.options.supersede !== false) {
      // RFC 7641 §4.5.2: only the newest state is worth the wait.
      const kept: Queued[] = [];
      for (const waiting of this.#queue) {
        if (waiting.options.supersede === false) kept.push(waiting);
        else waiting.options.settled?.('superseded');
      }
      this.#queue = kept;
    }
    if (this.#queue.length >= this.#owner.maxQueued) queued.options.settled?.('failed');
    else this.#queue.push(queued);
  }

  #next(): void {
    while (this.#active && this.#underWay === undefined) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#transmit(next);
    }
  }

  #transmit(queued: Queued): void {
    const { reply, options } = queued;
    const confirmable = options.confirmable ?? this.#owner.isConfirmationDue(this);
    const waits = confirmable && this.#owner.awaitsAcknowledgement;
    this.#sinceConfirmed = confirmable ? 0 : this.#sinceConfirmed + 1;
    if (waits) this.#underWay = queued;
    const messageId = this.#owner.transmit(this, reply, confirmable, waits ? this : undefined);
    if (messageId === NOT_SENT) this.#settle('failed', queued);
    else if (!waits) {
      this.#recentIds = [...this.#recentIds.slice(1 - REMEMBERED_IDS), messageId];
      options.settled?.('sent');
    }
    // RFC 7641 §4.2: an error response ends the observation.
    if (reply.code >> 5 !== 2 && reply.code !== CODE.EMPTY) this.finish('ended');
  }

  #settle(outcome: NotificationOutcome, queued = this.#underWay): void {
    this.#underWay = undefined;
    queued?.options.settled?.(outcome);
  }
}

/** What {@link ObservationOwner.transmit} returns when the peer's queue is full or the peer is gone. */
export const NOT_SENT = -2;
