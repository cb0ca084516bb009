import type { SefleetError } from '@sefleet/errors';
import type { Peer, Runtime, StreamConnection, Timer } from '@sefleet/runtime';
import type { MessageContent } from '../codec/message.ts';
import { isCritical } from '../codec/option-rules.ts';
import { type CoapOption, decodeUint, encodeText, uintOption } from '../codec/option.ts';
import { CODE, codeClass, SIGNAL } from '../constants.ts';
import { coapError } from '../errors.ts';
import { encodeStreamMessage, StreamMessageReader } from './stream-codec.ts';

/** Options of the signals (RFC 8323 §5.3 to §5.6); each signal numbers its own. */
const CSM_MAX_MESSAGE_SIZE = 2;
const CSM_BLOCK_WISE_TRANSFER = 4;
const PING_CUSTODY = 2;
const ABORT_BAD_CSM_OPTION = 2;
/** RFC 8323 §5.3.1: what a peer can take when it does not say. */
const DEFAULT_MAX_MESSAGE_BYTES = 1152;
/** Pings that wait for their Pong. */
const MAX_PINGS = 64;
/** 32 random bits, as the tokens of requests have. */
const PING_TOKEN_BYTES = 4;
const NOTHING: Uint8Array = new Uint8Array(0);

/** What a session tells the endpoint that it belongs to. */
export interface StreamSessionOwner {
  message(session: StreamSession, content: MessageContent): void;
  /** The connection is over: nothing more comes, and what waits for the peer is lost. */
  gone(session: StreamSession, error: SefleetError): void;
}

interface Ping {
  readonly token: string;
  readonly timer: Timer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One connection: its settings message, its other signals and its messages (RFC 8323 §5). */
export class StreamSession {
  readonly peer: Peer;
  readonly #connection: StreamConnection;
  readonly #owner: StreamSessionOwner;
  readonly #reader: StreamMessageReader;
  readonly #maxUnsent: number;
  #peerMaxBytes = DEFAULT_MAX_MESSAGE_BYTES;
  #greeted = false;
  #over = false;
  #releasing = false;
  /** Messages written since the peer stopped reading; undefined while it reads. */
  #unsent: number | undefined;
  readonly #pings: Ping[] = [];

  constructor(connection: StreamConnection, owner: StreamSessionOwner, maxBytes: number, maxUnsent: number) {
    this.peer = connection.peer;
    this.#connection = connection;
    this.#owner = owner;
    this.#reader = new StreamMessageReader(maxBytes);
    this.#maxUnsent = maxUnsent;
    connection.listen({
      data: (data) => this.#data(data),
      closed: (error) => this.#end(coapError('COAP_PEER_GONE', 'the connection is closed', { cause: error })),
    });
    // RFC 8323 §5.3: the settings are the first message of each side.
    this.#signal(SIGNAL.CSM, [
      uintOption(CSM_MAX_MESSAGE_SIZE, maxBytes),
      { number: CSM_BLOCK_WISE_TRANSFER, value: NOTHING },
    ]);
  }

  /** The largest message that the peer takes, in bytes. */
  get peerMaxBytes(): number {
    return this.#peerMaxBytes;
  }

  /** True when no new request should use this connection (RFC 8323 §5.5). */
  get releasing(): boolean {
    return this.#releasing;
  }

  /** Sends a message; false when the peer has not read so many before it that this one is dropped. */
  send(content: MessageContent): boolean {
    if (this.#over) return false;
    if (this.#unsent !== undefined) {
      if (this.#unsent >= this.#maxUnsent) return false;
      this.#unsent++;
    }
    if (!this.#connection.write(encodeStreamMessage(content)) && this.#unsent === undefined) {
      this.#unsent = 0;
      void this.#connection.writable().then(() => {
        this.#unsent = undefined;
      });
    }
    return true;
  }

  /** Resolves with the Pong (RFC 8323 §5.4), rejects when none comes in time. */
  ping(runtime: Runtime, timeoutMs: number): Promise<void> {
    if (this.#pings.length >= MAX_PINGS) {
      return Promise.reject(coapError('COAP_QUEUE_FULL', `${MAX_PINGS} pings wait for ${this.peer.key}`));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const token = runtime.rng.bytes(PING_TOKEN_BYTES);
    const timer = runtime.timers.after(timeoutMs, () => {
      this.#pings.splice(this.#pings.indexOf(ping), 1);
      reject(coapError('COAP_TIMEOUT', `${this.peer.key} sent no Pong`, { context: { timeoutMs } }));
    });
    const ping: Ping = { token: token.join(), timer, resolve, reject };
    this.#pings.push(ping);
    this.send({ code: SIGNAL.PING, token, options: [], payload: NOTHING });
    return promise;
  }

  /** Says that the connection is to end, and ends it (RFC 8323 §5.5). */
  release(): void {
    this.#signal(SIGNAL.RELEASE, []);
    this.#end(coapError('COAP_CLOSED', 'the connection was released'));
  }

  /** Ends the connection because of the peer's fault (RFC 8323 §5.6). */
  abort(reason: string, badOption?: number): void {
    const options = badOption === undefined ? [] : [uintOption(ABORT_BAD_CSM_OPTION, badOption)];
    if (!this.#over) this.send({ code: SIGNAL.ABORT, token: NOTHING, options, payload: encodeText(reason) });
    this.#end(
      coapError('COAP_MESSAGE_FORMAT', `the connection was aborted: ${reason}`, { context: { reason } }),
    );
  }

  #signal(code: number, options: readonly CoapOption[], token = NOTHING): void {
    this.send({ code, token, options, payload: NOTHING });
  }

  #data(data: Uint8Array): void {
    if (this.#over) return;
    const fault = this.#reader.push(data, this.#take);
    if (fault !== undefined && !this.#over) this.abort(fault);
  }

  readonly #take = (content: MessageContent): void => {
    if (this.#over) return;
    const { code } = content;
    if (!this.#greeted && code !== SIGNAL.CSM) {
      this.abort('the first message is not a CSM');
      return;
    }
    // RFC 8323 §3.4: an empty message only keeps the connection alive.
    if (code === CODE.EMPTY) return;
    if (codeClass(code) === 7) this.#signalled(content);
    else this.#owner.message(this, content);
  };

  #signalled({ code, token, options, payload }: MessageContent): void {
    switch (code) {
      case SIGNAL.CSM:
        this.#greeted = true;
        this.#settings(options);
        return;
      case SIGNAL.PING: {
        // RFC 8323 §5.4.1: what was asked before is handled in order, so custody can be confirmed at once.
        const custody = options.filter(({ number }) => number === PING_CUSTODY);
        if (!this.#refused(options)) this.#signal(SIGNAL.PONG, custody, token);
        return;
      }
      case SIGNAL.PONG:
        this.#pong(token);
        return;
      case SIGNAL.RELEASE:
        if (!this.#refused(options)) this.#releasing = true;
        return;
      case SIGNAL.ABORT:
        this.#end(
          coapError('COAP_STREAM_ABORTED', `${this.peer.key} aborted the connection`, {
            context: { diagnostic: new TextDecoder().decode(payload.subarray(0, 200)) },
          }),
        );
        return;
      default:
      // RFC 8323 §5.2: other signals are ignored.
    }
  }

  #settings(options: readonly CoapOption[]): void {
    if (this.#refused(options)) return;
    for (const { number, value } of options) {
      if (number !== CSM_MAX_MESSAGE_SIZE || value.length > 4) continue;
      this.#peerMaxBytes = Math.max(decodeUint(value), DEFAULT_MAX_MESSAGE_BYTES);
    }
  }

  /**
   * RFC 8323 §5.2: an unknown critical option of a signal ends the connection. None of the known ones is
   * critical.
   */
  #refused(options: readonly CoapOption[]): boolean {
    const critical = options.find(({ number }) => isCritical(number));
    if (critical === undefined) return false;
    this.abort('unknown critical option in a signal', critical.number);
    return true;
  }

  #pong(token: Uint8Array): void {
    // libcoap 4.3 leaves the token out of its Pong; pings are answered in order, so it is the oldest that it
    // means.
    const place = token.length === 0 ? 0 : this.#pings.findIndex((ping) => ping.token === token.join());
    const [answered] = place < 0 ? [] : this.#pings.splice(place, 1);
    answered?.timer.cancel();
    answered?.resolve();
  }

  #end(error: SefleetError): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.close();
    for (const ping of this.#pings.splice(0)) {
      ping.timer.cancel();
      ping.reject(error);
    }
    this.#owner.gone(this, error);
  }
}
