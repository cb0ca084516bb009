import type { SefleetError } from '@sefleet/errors';
import type { DatagramChannel, Peer, Runtime } from '@sefleet/runtime';
import {
  type CoapMessage,
  type MessageContent,
  type MessageFault,
  messageSizeMax,
  readMessage,
  writeMessage,
} from '../codec/message.ts';
import { Fingerprint } from '../codec/hash.ts';
import { CODE, MESSAGE_TYPE, type MessageType } from '../constants.ts';
import { badResponse, coapError, isUnsendable } from '../errors.ts';
import type { CoapLimits } from '../limits.ts';
import { deriveTimes, type TransmissionParameters } from '../settings.ts';
import { copyOfDatagram } from './datagram-slab.ts';
import { Deduplicator } from './deduplicator.ts';
import { IncomingRequest } from './incoming-request.ts';
import { Transmitter } from './transmitter.ts';
import type { Fate, IncomingMessage, MessageReceiver, MessageTransport, SentMessage } from './transport.ts';

const { CON, NON, ACK, RST } = MESSAGE_TYPE;
/** The largest datagram that UDP carries. */
const MAX_DATAGRAM_BYTES = 65_507;
/** Header, token and the options of a usual request or reply: what a block leaves free in a datagram. */
const MESSAGE_OVERHEAD_BYTES = 96;
/** Header of a message, before its token (RFC 7252 §3). */
const HEADER_BYTES = 4;
const EMPTY = new Uint8Array(0);
const NOTHING: MessageContent = { code: CODE.EMPTY, token: EMPTY, options: [], payload: EMPTY };
/** A non-confirmable message is gone when it is sent. */
const withdrawNothing = (): void => {};

/**
 * Messages are encoded here and handed on at once; there is one thread, so one buffer serves every endpoint.
 */
const scratch = new Uint8Array(MAX_DATAGRAM_BYTES);

/**
 * The message layer of datagram transports (RFC 7252 §4): types, ids, retransmission, duplicates, congestion.
 */
export class MessageLayer implements MessageTransport {
  readonly reliable = false;
  readonly #channel: DatagramChannel;
  readonly #runtime: Runtime;
  readonly #parameters: TransmissionParameters;
  #receiver: MessageReceiver | undefined;
  readonly #transmitter: Transmitter;
  readonly #duplicates: Deduplicator;
  readonly #seed: number;
  readonly #fingerprint = new Fingerprint();
  #deferred = new Set<IncomingRequest>();
  readonly #counters = {
    'messages.received': 0,
    'messages.sent': 0,
    'messages.duplicates': 0,
    'messages.notTaken': 0,
    'messages.resetReceived': 0,
    'messages.resetSent': 0,
    'dropped.malformed': 0,
    'dropped.unexpected': 0,
  };

  constructor(
    channel: DatagramChannel,
    runtime: Runtime,
    parameters: TransmissionParameters,
    limits: CoapLimits,
  ) {
    this.#channel = channel;
    this.#runtime = runtime;
    this.#parameters = parameters;
    this.#seed = randomUint32(runtime);
    const { exchangeLifetimeMs } = deriveTimes(parameters);
    this.#duplicates = new Deduplicator(exchangeLifetimeMs, limits.maxDeduplicationBytes);
    this.#transmitter = new Transmitter(runtime, parameters, limits, exchangeLifetimeMs, this.#emit);
  }

  /** Takes over the channel and tells `receiver` what arrives. */
  start(receiver: MessageReceiver): void {
    this.#receiver = receiver;
    this.#channel.listen({
      datagram: (data, peer) => this.#datagram(data, peer),
      peerGone: (peer, reason) => this.#peerGone(peer, reason),
    });
  }

  send(peer: Peer, content: MessageContent, confirmable: boolean, fate: Fate | undefined): SentMessage {
    if (!confirmable) {
      const messageId = this.#transmitter.messageIdFor(peer);
      this.#write(peer, NON, messageId, content);
      return { messageId, withdraw: withdrawNothing };
    }
    // A secured channel carries nothing to a peer without a session: waiting for an acknowledgement is in
    // vain.
    if (this.#channel.maxPayload(peer) <= 0) {
      throw coapError('COAP_PEER_GONE', `no session with ${peer.key}`, { context: { peer: peer.key } });
    }
    this.#transmitter.makeRoom(peer);
    const messageId = this.#transmitter.messageIdFor(peer);
    const length = this.#encode(CON, messageId, content);
    return this.#transmitter.start(peer, messageId, scratch.slice(0, length), fate);
  }

  respond(request: IncomingMessage, content: MessageContent | undefined): void {
    const incoming = this.#own(request);
    incoming.settled();
    this.#deferred.delete(incoming);
    const { peer, confirmable } = incoming;
    if (confirmable && !incoming.acknowledged) {
      // RFC 7252 §5.2.1: the response rides on the acknowledgement.
      const length = this.#encode(ACK, incoming.messageId, content ?? NOTHING);
      const datagram = scratch.subarray(0, length);
      this.#duplicates.answered(incoming.duplicateHandle, datagram);
      this.#emit(datagram, peer);
      return;
    }
    if (content === undefined) return;
    try {
      // RFC 7252 §5.2.2, §5.2.3: a separate response to CON is confirmable, the one to NON is not.
      this.send(peer, content, confirmable, undefined);
    } catch (error) {
      // A peer that is gone, or that does not acknowledge its answers: this one is lost, and counted there.
      if (!isUnsendable(error)) throw error;
    }
  }

  defer(request: IncomingMessage): void {
    const incoming = this.#own(request);
    if (!incoming.confirmable) return;
    this.#deferred.add(incoming);
    incoming.timer = this.#runtime.timers.after(this.#parameters.separateAfterMs, () => {
      this.#deferred.delete(incoming);
      incoming.acknowledged = true;
      this.#acknowledge(incoming.messageId, incoming.duplicateHandle, incoming.peer);
    });
  }

  reject(request: IncomingMessage): void {
    const incoming = this.#own(request);
    incoming.settled();
    this.#deferred.delete(incoming);
    this.#reset(incoming.messageId, incoming.peer);
  }

  maxBlockBytes(peer: Peer): number {
    return this.#channel.maxPayload(peer) - MESSAGE_OVERHEAD_BYTES;
  }

  /** An empty confirmable message, which a CoAP endpoint answers with a Reset (RFC 7252 §4.3). */
  ping(peer: Peer, fate: Fate): SentMessage {
    return this.send(peer, NOTHING, true, fate);
  }

  counters(): Readonly<Record<string, number>> {
    return {
      ...this.#counters,
      'messages.retransmitted': this.#transmitter.retransmitted,
      'messages.timedOut': this.#transmitter.timedOut,
      'dropped.queueFull': this.#transmitter.refused,
      'deduplication.bytes': this.#duplicates.bytes,
      'deduplication.evictedEarly': this.#duplicates.evictedEarly,
    };
  }

  open(): { readonly transmissions: number; readonly deferred: number } {
    return { transmissions: this.#transmitter.size, deferred: this.#deferred.size };
  }

  close(error: SefleetError): void {
    this.#transmitter.failAll(error);
    for (const incoming of this.#deferred) incoming.settled();
    this.#deferred.clear();
  }

  #datagram(data: Uint8Array, peer: Peer): void {
    this.#counters['messages.received']++;
    const copy = copyOfDatagram(data);
    const message = readMessage(copy);
    if (typeof message === 'string') {
      this.#malformed(copy, peer, message);
      return;
    }
    switch (message.type) {
      case CON:
      case NON:
        this.#delivered(message, copy, peer);
        return;
      case ACK:
        this.#acknowledgement(message, peer);
        return;
      default:
        this.#refusal(message, peer);
    }
  }

  /**
   * RFC 7252 §4.2, §4.3: a confirmable message that cannot be read is refused, everything else ignored. Where
   * it was meant for an answer, whoever waits for that need not wait for longer.
   */
  #malformed(data: Uint8Array, peer: Peer, fault: MessageFault): void {
    this.#counters['dropped.malformed']++;
    const [first = 0, code = 0, high = 0, low = 0] = data;
    if (data.length < 4 || first >> 6 !== 1) return;
    const type = (first >> 4) & 0x03;
    const messageId = (high << 8) | low;
    if (type === ACK) this.#transmitter.find(peer, messageId)?.failed(badResponse(peer, code, fault));
    else if (type === CON) this.#reset(messageId, peer);
    const isResponse = code >> 5 !== 0 && (type === CON || type === NON);
    if (isResponse)
      this.#receiver?.unreadable(peer, data.subarray(4, 4 + (first & 0x0f)), badResponse(peer, code, fault));
  }

  #delivered(message: CoapMessage, data: Uint8Array, peer: Peer): void {
    const { type, code, messageId } = message;
    const confirmable = type === CON;
    if (code === CODE.EMPTY) {
      // RFC 7252 §4.3: an empty confirmable message asks whether somebody is here.
      if (confirmable) this.#reset(messageId, peer);
      else this.#counters['dropped.malformed']++;
      return;
    }
    const nowMs = this.#runtime.clock.monotonicMs();
    this.#fingerprint.set(peer.key, data, HEADER_BYTES + message.token.length, this.#seed);
    const known = this.#duplicates.find(this.#fingerprint, nowMs);
    if (known >= 0) {
      this.#duplicate(known, message, peer);
      return;
    }
    const handle = this.#duplicates.add(this.#fingerprint, nowMs);
    const incoming = new IncomingRequest(message, peer, confirmable, handle);
    if (code >> 5 === 0) {
      this.#receiver?.request(incoming);
      return;
    }
    const accepted = this.#receiver?.response(incoming) === true;
    if (!accepted) this.#reset(messageId, peer);
    else if (confirmable && incoming.taken === undefined) this.#acknowledge(messageId, handle, peer);
    else if (confirmable) {
      // Meanwhile repetitions of it are ignored, as those of a request are (RFC 7252 §4.2).
      incoming.taken?.then(
        () => this.#acknowledge(messageId, handle, peer),
        () => this.#counters['messages.notTaken']++,
      );
    }
  }

  /** RFC 7252 §4.5: a repeated CON gets the same answer, a repeated NON none. */
  #duplicate(handle: number, { type, messageId }: CoapMessage, peer: Peer): void {
    this.#counters['messages.duplicates']++;
    if (type !== CON) return;
    const earlier = this.#duplicates.earlierAnswer(handle);
    if (earlier === 'pending') return;
    if (earlier === 'acknowledged') this.#write(peer, ACK, messageId, NOTHING);
    else this.#emit(earlier, peer);
  }

  #acknowledgement(message: CoapMessage, peer: Peer): void {
    const transmission = this.#transmitter.find(peer, message.messageId);
    if (transmission === undefined || isRequest(message.code)) {
      this.#counters['dropped.unexpected']++;
      transmission?.failed(badResponse(peer, message.code, 'request in an acknowledgement'));
      return;
    }
    if (message.code === CODE.EMPTY) {
      transmission.acknowledged();
      return;
    }
    if (this.#receiver?.response(new IncomingRequest(message, peer, false, -1)) === true)
      transmission.withdraw();
    else this.#counters['dropped.unexpected']++;
  }

  #refusal({ code, messageId }: CoapMessage, peer: Peer): void {
    if (code !== CODE.EMPTY) {
      this.#counters['dropped.malformed']++;
      return;
    }
    this.#counters['messages.resetReceived']++;
    const transmission = this.#transmitter.find(peer, messageId);
    if (transmission === undefined) this.#receiver?.reset(peer, messageId);
    else
      transmission.failed(
        coapError('COAP_RESET', `${peer.key} refused the message`, { context: { peer: peer.key } }),
      );
  }

  #acknowledge(messageId: number, handle: number, peer: Peer): void {
    this.#duplicates.acknowledged(handle);
    this.#write(peer, ACK, messageId, NOTHING);
  }

  #reset(messageId: number, peer: Peer): void {
    this.#counters['messages.resetSent']++;
    this.#write(peer, RST, messageId, NOTHING);
  }

  #write(peer: Peer, type: MessageType, messageId: number, content: MessageContent): void {
    this.#emit(scratch.subarray(0, this.#encode(type, messageId, content)), peer);
  }

  #encode(type: MessageType, messageId: number, content: MessageContent): number {
    const size = messageSizeMax(content.token, content.options, content.payload);
    if (size > scratch.length) {
      throw coapError('COAP_MESSAGE_TOO_LARGE', `${size} bytes do not fit a datagram`, { context: { size } });
    }
    return writeMessage(scratch, type, messageId, content);
  }

  readonly #emit = (datagram: Uint8Array, peer: Peer): void => {
    this.#counters['messages.sent']++;
    this.#channel.send(datagram, peer);
  };

  #peerGone(peer: Peer, reason: string): void {
    const error = coapError('COAP_PEER_GONE', `${peer.key} is gone: ${reason}`, { context: { reason } });
    this.#transmitter.failPeer(peer, error);
    for (const incoming of this.#deferred) {
      if (incoming.peer.key !== peer.key) continue;
      incoming.settled();
      this.#deferred.delete(incoming);
    }
    this.#receiver?.peerGone(peer);
  }

  #own(request: IncomingMessage): IncomingRequest {
    if (request instanceof IncomingRequest) return request;
    throw coapError('COAP_ARGUMENT_INVALID', 'the request came through another transport');
  }
}

function isRequest(code: number): boolean {
  return code !== CODE.EMPTY && code >> 5 === 0;
}

function randomUint32(runtime: Runtime): number {
  return Math.floor(runtime.rng.fraction() * 0x100000000);
}
