import { isSefleetError, type SefleetError } from '@sefleet/errors';
import type { Peer, Runtime } from '@sefleet/runtime';
import { type Block, blockOption, blockSizeWithin, findBlock } from '../codec/block.ts';
import { withOption } from '../codec/option-list.ts';
import { checkOptions } from '../codec/option-rules.ts';
import { type CoapOption, findUint } from '../codec/option.ts';
import { bodyBytes } from '../codec/parts.ts';
import { CODE, methodOf, OPTION } from '../constants.ts';
import type { CoapRoleOptions } from '../endpoint.ts';
import { isUnsendable } from '../errors.ts';
import type { CoapLimits } from '../limits.ts';
import type { Fate, IncomingMessage, MessageTransport } from '../message/transport.ts';
import type { CoapReply } from '../response.ts';
import type { TransmissionParameters } from '../settings.ts';
import { BodyAssembler } from './body-assembler.ts';
import { ObservationRegistry } from './observation-registry.ts';
import { replyOptions } from './reply-content.ts';
import { blockOf, contentOf, type Representation, Representations } from './representations.ts';
import { NOT_SENT, type ServedObservation } from './served-observation.ts';
import { ServedRequest } from './served-request.ts';
import { transferKey } from './transfer-key.ts';

const NOT_FOUND: CoapReply = { code: CODE.NOT_FOUND };
/** RFC 7252 §5.9.3.4: Max-Age says when to try again. */
const OVERLOADED: CoapReply = { code: CODE.SERVICE_UNAVAILABLE, maxAgeSeconds: 5 };

/** Answers requests: option rules, bodies in blocks, the handler, its reply in blocks, observers. */
export class Responder {
  readonly #transport: MessageTransport;
  readonly #options: CoapRoleOptions;
  readonly #parameters: TransmissionParameters;
  readonly #limits: CoapLimits;
  readonly #critical: ReadonlySet<number> | undefined;
  readonly #bodies: BodyAssembler;
  readonly #representations: Representations;
  readonly #observations: ObservationRegistry;
  readonly #counters = {
    'requests.received': 0,
    'requests.refused': 0,
    'requests.failed': 0,
    'requests.handling': 0,
    'requests.overload': 0,
    'notifications.sent': 0,
  };

  constructor(
    transport: MessageTransport,
    runtime: Runtime,
    parameters: TransmissionParameters,
    limits: CoapLimits,
    options: CoapRoleOptions,
  ) {
    this.#transport = transport;
    this.#options = options;
    this.#parameters = parameters;
    this.#limits = limits;
    this.#critical = options.criticalOptions === undefined ? undefined : new Set(options.criticalOptions);
    const bounds = {
      maxEntries: limits.maxBlockwiseTransfers,
      maxBytes: limits.maxBlockwiseBytes,
      lifetimeMs: parameters.blockLifetimeMs,
    };
    this.#bodies = new BodyAssembler(runtime, bounds, parameters.blockSizeBytes);
    this.#representations = new Representations(runtime, bounds);
    this.#observations = new ObservationRegistry(runtime.clock, parameters, limits, transport, this.#notify);
  }

  request(incoming: IncomingMessage): void {
    this.#counters['requests.received']++;
    const { options, unknownCritical } = checkOptions(incoming.options, this.#critical);
    const refusal = unknownCritical === undefined ? refusalOf(options) : refusalCode(unknownCritical);
    if (refusal !== undefined) {
      this.#refuse(incoming, refusal, unknownCritical);
      return;
    }
    const method = methodOf(incoming.code);
    if (method === undefined) {
      // RFC 7252 §5.8: a method that is not known.
      this.#refuse(incoming, CODE.METHOD_NOT_ALLOWED, undefined);
      return;
    }
    const request = new ServedRequest(incoming, method, options);
    const block1 = findBlock(options, OPTION.BLOCK1);
    const block2 = findBlock(options, OPTION.BLOCK2);
    if (block1 === undefined && block2 === undefined) {
      this.#handle(incoming, request, undefined, undefined);
      return;
    }
    this.#blockwise(incoming, request, block1, block2);
  }

  reset(peer: Peer, messageId: number): void {
    this.#observations.reset(peer, messageId);
  }

  peerGone(peer: Peer): void {
    this.#observations.peerGone(peer);
    this.#bodies.removePeer(peer.key);
    this.#representations.removePeer(peer.key);
  }

  close(error: SefleetError): void {
    this.#observations.close(error);
    this.#bodies.clear();
    this.#representations.clear();
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, 'blockwise.evicted': this.#bodies.evicted + this.#representations.evicted };
  }

  open(): Readonly<Record<string, number>> {
    return {
      bodies: this.#bodies.size,
      representations: this.#representations.size,
      serverObservations: this.#observations.size,
      handling: this.#counters['requests.handling'],
    };
  }

  #refuse(incoming: IncomingMessage, code: number, unknownCritical: number | undefined): void {
    this.#counters['requests.refused']++;
    // RFC 7252 §5.4.1: with an unknown critical option a confirmable request gets 4.02, another is rejected.
    if (unknownCritical !== undefined && code === CODE.BAD_OPTION && !incoming.confirmable) {
      if (!this.#transport.reliable) {
        this.#transport.reject(incoming);
        return;
      }
    }
    this.#transport.respond(incoming, { code, token: incoming.token, options: [], payload: NO_PAYLOAD });
  }

  #blockwise(
    incoming: IncomingMessage,
    request: ServedRequest,
    block1: Block | undefined,
    block2: Block | undefined,
  ): void {
    // SZX 7 is reserved but on reliable transports (RFC 7959 §2.2, RFC 8323 §6).
    if (!this.#transport.reliable && (block1?.bert === true || block2?.bert === true)) {
      this.#refuse(incoming, CODE.BAD_REQUEST, undefined);
      return;
    }
    const key = transferKey(incoming.peer, incoming.code, request.options);
    if (block1 !== undefined) {
      const progress = this.#bodies.receive({
        key,
        peerKey: incoming.peer.key,
        block: block1,
        payload: incoming.payload,
        announcedBytes: findUint(request.options, OPTION.SIZE1),
        maxBytes: () => this.#maxBody(request),
      });
      if (!(progress instanceof Uint8Array)) {
        this.#answer(incoming, request, progress, undefined, undefined);
        return;
      }
      request.payload = progress;
    }
    if (block2 !== undefined && block2.num > 0 && this.#laterBlock(incoming, request, key, block2)) return;
    this.#handle(incoming, request, block1, block2);
  }

  /** Serves a block that is not the first; false when the handler must make the representation anew. */
  #laterBlock(incoming: IncomingMessage, request: ServedRequest, key: string, asked: Block): boolean {
    const size = Math.min(asked.size, this.#blockSize(incoming.peer));
    const part = this.#representations.block(key, asked, size);
    if (part !== undefined) {
      this.#transport.respond(incoming, contentOf(part, incoming.token));
      return true;
    }
    // A safe request may be handled again, and its blocks be told apart by ETag; another one may not.
    if (request.method === 'GET' || request.method === 'FETCH') return false;
    this.#answer(incoming, request, { code: CODE.REQUEST_ENTITY_INCOMPLETE }, undefined, undefined);
    return true;
  }

  #handle(
    incoming: IncomingMessage,
    request: ServedRequest,
    block1: Block | undefined,
    block2: Block | undefined,
  ): void {
    const { handler } = this.#options;
    if (handler === undefined) {
      this.#answer(incoming, request, NOT_FOUND, block1, block2);
      return;
    }
    if (this.#counters['requests.handling'] >= this.#limits.maxConcurrentRequests) {
      this.#counters['requests.overload']++;
      this.#answer(incoming, request, OVERLOADED, undefined, undefined);
      return;
    }
    const observing = this.#observing(incoming, request, block2);
    let reply: CoapReply | Promise<CoapReply>;
    try {
      reply = handler(request);
    } catch (error) {
      this.#failed(incoming, request, error, observing);
      return;
    }
    if (!(reply instanceof Promise)) {
      this.#finish(incoming, request, reply, block1, block2, observing);
      return;
    }
    this.#transport.defer(incoming);
    this.#counters['requests.handling']++;
    reply.then(
      (settled) => {
        this.#counters['requests.handling']--;
        this.#finish(incoming, request, settled, block1, block2, observing);
      },
      (error: unknown) => {
        this.#counters['requests.handling']--;
        this.#failed(incoming, request, error, observing);
      },
    );
  }

  /** The wish to observe, put before the handler; undefined when the request has none. */
  #observing(
    incoming: IncomingMessage,
    request: ServedRequest,
    block2: Block | undefined,
  ): Observing | undefined {
    const observe = findUint(request.options, OPTION.OBSERVE);
    if (observe === undefined || (request.method !== 'GET' && request.method !== 'FETCH')) return undefined;
    if (observe === DEREGISTER) this.#observations.end(incoming.peer, incoming.token, 'deregistered');
    if (observe !== REGISTER || (block2 !== undefined && block2.num > 0)) return undefined;
    const size = Math.min(block2?.size ?? 1024, this.#blockSize(incoming.peer));
    const observing: Observing = {
      observation: undefined,
      accept: () => {
        const key = transferKey(incoming.peer, incoming.code, request.options);
        observing.observation ??= this.#observations.add(incoming.peer, incoming.token, key, size);
        return observing.observation;
      },
    };
    request.observe = observing;
    return observing;
  }

  #failed(
    incoming: IncomingMessage,
    request: ServedRequest,
    error: unknown,
    observing: Observing | undefined,
  ): void {
    this.#counters['requests.failed']++;
    observing?.observation?.finish('ended');
    const peerFault = isSefleetError(error) && error.fault === 'peer';
    const code = peerFault ? CODE.BAD_REQUEST : CODE.INTERNAL_SERVER_ERROR;
    this.#answer(incoming, request, { code }, undefined, undefined);
    this.#options.onHandlerError?.(error, request);
  }

  #finish(
    incoming: IncomingMessage,
    request: ServedRequest,
    reply: CoapReply,
    block1: Block | undefined,
    block2: Block | undefined,
    observing: Observing | undefined,
  ): void {
    const observation = observing?.observation;
    if (observation === undefined) {
      this.#answer(incoming, request, reply, block1, block2);
      return;
    }
    // RFC 7641 §4.1: only a successful response makes an observer of the client.
    if (reply.code >> 5 !== 2) observation.finish('ended');
    const sequence = observation.active ? observation.nextSequence() : undefined;
    this.#answer(incoming, request, reply, block1, block2, sequence);
    observation.start();
  }

  #answer(
    incoming: IncomingMessage,
    request: ServedRequest,
    reply: CoapReply,
    block1: Block | undefined,
    block2: Block | undefined,
    observe?: number,
  ): void {
    const whole = representationOf(reply, observe);
    let part = this.#fitted(incoming, request, whole, block2);
    if (block1 !== undefined) {
      const option = blockOption(OPTION.BLOCK1, block1.num, false, block1.size, block1.bert);
      part = { ...part, options: withOption(part.options, option) };
    }
    const unwanted = findUint(request.options, OPTION.NO_RESPONSE) ?? 0;
    // RFC 7967 §2.1: bit 1 for class 2, bit 3 for class 4, bit 4 for class 5.
    const silent = unwanted !== 0 && (unwanted & (1 << ((part.code >> 5) - 1))) !== 0;
    this.#transport.respond(incoming, silent ? undefined : contentOf(part, incoming.token));
  }

  /** The reply itself when it fits one message, otherwise the block of it that was asked for. */
  #fitted(
    incoming: IncomingMessage,
    request: ServedRequest,
    whole: Representation,
    block2: Block | undefined,
  ): Representation {
    const { peer } = incoming;
    const size = Math.min(block2?.size ?? 1024, this.#blockSize(peer));
    const { length } = whole.payload;
    if (block2 === undefined) {
      const max = this.#transport.reliable ? this.#transport.maxBlockBytes(peer) : size;
      if (length <= max) return whole;
    } else if (length <= size && block2.num === 0) {
      // RFC 7959 §2.4: who asks with Block2 is answered with Block2.
      if (length === 0) return whole;
      return { ...whole, options: withOption(whole.options, blockOption(OPTION.BLOCK2, 0, false, size)) };
    }
    const key = transferKey(peer, incoming.code, request.options);
    const first = this.#representations.begin(key, peer, whole, size);
    if (block2 === undefined || block2.num === 0) return first;
    return this.#representations.block(key, block2, size) ?? blockOf(whole, block2, size);
  }

  readonly #notify = (
    observation: ServedObservation,
    reply: CoapReply,
    confirmable: boolean,
    fate: Fate | undefined,
  ): number => {
    const { peer, token } = observation;
    const success = reply.code >> 5 === 2;
    const whole = representationOf(reply, success ? observation.nextSequence() : undefined);
    const size = Math.min(observation.blockSize, this.#blockSize(peer));
    const max = this.#transport.reliable ? this.#transport.maxBlockBytes(peer) : size;
    const part =
      whole.payload.length <= max
        ? whole
        : this.#representations.begin(observation.transferKey, peer, whole, size);
    try {
      const { messageId } = this.#transport.send(peer, contentOf(part, token), confirmable, fate);
      this.#counters['notifications.sent']++;
      return messageId;
    } catch (error) {
      if (isUnsendable(error)) return NOT_SENT;
      throw error;
    }
  };

  #blockSize(peer: Peer): number {
    return blockSizeWithin(Math.min(this.#parameters.blockSizeBytes, this.#transport.maxBlockBytes(peer)));
  }

  #maxBody(request: ServedRequest): number {
    const { maxBodyBytes } = this.#limits;
    const narrowed = this.#options.maxRequestBodyBytes?.(request);
    return narrowed === undefined ? maxBodyBytes : Math.min(maxBodyBytes, narrowed);
  }
}

interface Observing {
  observation: ServedObservation | undefined;
  accept(): ServedObservation | undefined;
}

/** Values of the Observe option in a request (RFC 7641 §2). */
const REGISTER = 0;
const DEREGISTER = 1;
const NO_PAYLOAD = new Uint8Array(0);

function representationOf(reply: CoapReply, observe: number | undefined): Representation {
  return { code: reply.code, options: replyOptions(reply, observe), payload: bodyBytes(reply.payload) };
}

/** RFC 7252 §5.7.2: this is no proxy. */
function refusalOf(options: readonly CoapOption[]): number | undefined {
  for (let i = options.length - 1; i >= 0; i--) {
    const number = options[i]?.number ?? 0;
    if (number === OPTION.PROXY_URI || number === OPTION.PROXY_SCHEME) return CODE.PROXYING_NOT_SUPPORTED;
    if (number < OPTION.PROXY_URI) return undefined;
  }
  return undefined;
}

/** A proxy option that is itself malformed is still a wish for a proxy. */
function refusalCode(number: number): number {
  const proxy = number === OPTION.PROXY_URI || number === OPTION.PROXY_SCHEME;
  return proxy ? CODE.PROXYING_NOT_SUPPORTED : CODE.BAD_OPTION;
}
