import type { SefleetError } from '@sefleet/errors';
import type { Peer, Runtime } from '@sefleet/runtime';
import { coapError } from '../errors.ts';
import type { CoapLimits } from '../limits.ts';
import type { TransmissionParameters } from '../settings.ts';
import { PeerTable } from './peer-table.ts';
import { type PeerTraffic, Transmission, type TransmissionOwner } from './transmission.ts';
import type { Fate } from './transport.ts';

/** Confirmable messages under way: their ids, their turns, their time-outs (RFC 7252 §4.2, §4.4, §4.7). */
export class Transmitter implements TransmissionOwner {
  readonly #runtime: Runtime;
  readonly #parameters: TransmissionParameters;
  readonly #limits: CoapLimits;
  readonly #emit: (datagram: Uint8Array, peer: Peer) => void;
  readonly #traffic: PeerTable<PeerTraffic>;
  #size = 0;
  retransmitted = 0;
  timedOut = 0;
  refused = 0;

  constructor(
    runtime: Runtime,
    parameters: TransmissionParameters,
    limits: CoapLimits,
    exchangeLifetimeMs: number,
    emit: (datagram: Uint8Array, peer: Peer) => void,
  ) {
    this.#runtime = runtime;
    this.#parameters = parameters;
    this.#limits = limits;
    this.#emit = emit;
    this.#traffic = new PeerTable(
      runtime.clock,
      exchangeLifetimeMs,
      (peer): PeerTraffic => ({
        peer,
        // RFC 7252 §4.4: the first message id is random.
        nextMessageId: Math.floor(runtime.rng.fraction() * 0x10000),
        transmissions: new Map(),
        waiting: [],
      }),
      (traffic) => traffic.transmissions.size === 0 && traffic.waiting.length === 0,
    );
  }

  /** Started and waiting ones. */
  get size(): number {
    return this.#size;
  }

  /** An id for the next message to that peer, which none that is under way has. */
  messageIdFor(peer: Peer): number {
    const traffic = this.#traffic.obtain(peer);
    do traffic.nextMessageId = (traffic.nextMessageId + 1) & 0xffff;
    while (traffic.transmissions.has(traffic.nextMessageId));
    return traffic.nextMessageId;
  }

  /** Fails with `COAP_QUEUE_FULL` when no more may wait for that peer, or in all. */
  makeRoom(peer: Peer): void {
    const waiting = this.#traffic.find(peer.key)?.waiting.length ?? 0;
    const { maxQueuedPerPeer, maxTransmissions } = this.#limits;
    if (waiting < maxQueuedPerPeer && this.#size < maxTransmissions) return;
    this.refused++;
    throw coapError('COAP_QUEUE_FULL', `${waiting} messages wait for ${peer.key}`, {
      context: { peer: peer.key, waitingForPeer: waiting, inAll: this.#size },
    });
  }

  /** Sends a datagram, or puts it in the peer's queue. */
  start(peer: Peer, messageId: number, datagram: Uint8Array, fate: Fate | undefined): Transmission {
    const traffic = this.#traffic.obtain(peer);
    const transmission = new Transmission(this, traffic, messageId, datagram, fate);
    this.#size++;
    // RFC 7252 §4.7: at most NSTART interactions are outstanding to one peer.
    if (traffic.transmissions.size < this.#parameters.nstart) this.#begin(transmission);
    else traffic.waiting.push(transmission);
    return transmission;
  }

  /** The message under way to that peer with that id. */
  find(peer: Peer, messageId: number): Transmission | undefined {
    return this.#traffic.find(peer.key)?.transmissions.get(messageId);
  }

  transmit(transmission: Transmission): void {
    this.#emit(transmission.data, transmission.traffic.peer);
    transmission.timer = this.#runtime.timers.after(transmission.timeoutMs, transmission.onTimeout);
  }

  expired(transmission: Transmission): void {
    if (transmission.over) return;
    if (transmission.retransmissions >= this.#parameters.maxRetransmit) {
      this.timedOut++;
      const { peer } = transmission.traffic;
      const context = { peer: peer.key, transmissions: transmission.retransmissions + 1 };
      transmission.failed(coapError('COAP_TIMEOUT', `${peer.key} did not acknowledge`, { context }));
      return;
    }
    // RFC 7252 §4.2: the time-out doubles with each retransmission.
    transmission.retransmissions++;
    transmission.timeoutMs *= 2;
    this.retransmitted++;
    this.transmit(transmission);
  }

  release(transmission: Transmission): void {
    const { traffic } = transmission;
    this.#size--;
    if (!traffic.transmissions.delete(transmission.messageId)) {
      const place = traffic.waiting.indexOf(transmission);
      if (place >= 0) traffic.waiting.splice(place, 1);
    }
    while (traffic.transmissions.size < this.#parameters.nstart) {
      const next = traffic.waiting.shift();
      if (next === undefined) return;
      this.#begin(next);
    }
  }

  failPeer(peer: Peer, error: SefleetError): void {
    const traffic = this.#traffic.take(peer.key);
    if (traffic !== undefined) fail(traffic, error);
  }

  failAll(error: SefleetError): void {
    for (const traffic of this.#traffic.values()) fail(traffic, error);
  }

  #begin(transmission: Transmission): void {
    const { ackTimeoutMs, ackRandomFactor } = this.#parameters;
    // RFC 7252 §4.2: the first time-out is random, so that peers that collided once do not do so again.
    transmission.timeoutMs = ackTimeoutMs * (1 + (ackRandomFactor - 1) * this.#runtime.rng.fraction());
    transmission.traffic.transmissions.set(transmission.messageId, transmission);
    this.transmit(transmission);
  }
}

function fail(traffic: PeerTraffic, error: SefleetError): void {
  // A failed one makes the next start: the queue is emptied first.
  const waiting = traffic.waiting.splice(0);
  for (const transmission of [...traffic.transmissions.values(), ...waiting]) transmission.failed(error);
}
