import type { SefleetError } from '@sefleet/errors';
import { toHex } from '@sefleet/bytes';
import type { Clock, Peer } from '@sefleet/runtime';
import type { CoapLimits } from '../limits.ts';
import type { Fate, MessageTransport } from '../message/transport.ts';
import type { ObservationEnd } from '../request.ts';
import type { CoapReply } from '../response.ts';
import type { TransmissionParameters } from '../settings.ts';
import { type ObservationOwner, ServedObservation } from './served-observation.ts';

/** What the registry lets the responder do: send a notification, its large body blockwise. */
export type SendNotification = (
  observation: ServedObservation,
  reply: CoapReply,
  confirmable: boolean,
  fate: Fate | undefined,
) => number;

/** Who observes what: by peer and token, the pair that names an observation (RFC 7641 §4.1). */
export class ObservationRegistry implements ObservationOwner {
  readonly awaitsAcknowledgement: boolean;
  readonly maxQueued: number;
  readonly #clock: Clock;
  readonly #parameters: TransmissionParameters;
  readonly #limits: CoapLimits;
  readonly #sendNotification: SendNotification;
  readonly #byPeer = new Map<string, Map<string, ServedObservation>>();
  #size = 0;

  constructor(
    clock: Clock,
    parameters: TransmissionParameters,
    limits: CoapLimits,
    transport: MessageTransport,
    sendNotification: SendNotification,
  ) {
    this.#clock = clock;
    this.#parameters = parameters;
    this.#limits = limits;
    this.awaitsAcknowledgement = !transport.reliable;
    this.maxQueued = limits.maxQueuedPerPeer;
    this.#sendNotification = sendNotification;
  }

  get size(): number {
    return this.#size;
  }

  /** A new observation, in place of one with the same token; undefined when there are too many. */
  add(peer: Peer, token: Uint8Array, transferKey: string, blockSize: number): ServedObservation | undefined {
    this.end(peer, token, 'replaced');
    const observations = this.#byPeer.get(peer.key);
    const ofPeer = observations?.size ?? 0;
    if (this.#size >= this.#limits.maxObservations || ofPeer >= this.#limits.maxObservationsPerPeer) {
      return undefined;
    }
    const nowMs = this.#clock.monotonicMs();
    // The token is a view of a datagram; kept for long, it gets bytes of its own.
    const observation = new ServedObservation(this, peer, token.slice(), transferKey, blockSize, nowMs);
    if (observations === undefined) this.#byPeer.set(peer.key, new Map([[toHex(token), observation]]));
    else observations.set(toHex(token), observation);
    this.#size++;
    return observation;
  }

  end(peer: Peer, token: Uint8Array, reason: ObservationEnd): void {
    this.#byPeer.get(peer.key)?.get(toHex(token))?.finish(reason);
  }

  /** A Reset that names a non-confirmable notification ends its observation (RFC 7641 §3.6). */
  reset(peer: Peer, messageId: number): void {
    for (const observation of this.#byPeer.get(peer.key)?.values() ?? []) {
      if (observation.sentNonConfirmable(messageId)) {
        observation.finish('reset');
        return;
      }
    }
  }

  peerGone(peer: Peer): void {
    for (const observation of this.#byPeer.get(peer.key)?.values() ?? []) observation.finish('peer-gone');
  }

  close(error: SefleetError): void {
    for (const observations of this.#byPeer.values()) {
      for (const observation of observations.values()) observation.failed(error);
    }
  }

  isConfirmationDue(observation: ServedObservation): boolean {
    const { notificationConfirmEvery, notificationConfirmMs } = this.#parameters;
    if (observation.sinceConfirmed + 1 >= notificationConfirmEvery) return true;
    // RFC 7641 §4.5: at least one confirmable notification in 24 hours.
    return this.#clock.monotonicMs() - observation.confirmedAtMs >= notificationConfirmMs;
  }

  transmit(
    observation: ServedObservation,
    reply: CoapReply,
    confirmable: boolean,
    fate: Fate | undefined,
  ): number {
    if (confirmable) observation.confirmedAt(this.#clock.monotonicMs());
    return this.#sendNotification(observation, reply, confirmable, fate);
  }

  remove(observation: ServedObservation): void {
    const observations = this.#byPeer.get(observation.peer.key);
    const token = toHex(observation.token);
    if (observations?.get(token) !== observation) return;
    observations.delete(token);
    this.#size--;
    if (observations.size === 0) this.#byPeer.delete(observation.peer.key);
  }
}
