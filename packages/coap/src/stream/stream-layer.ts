import type { SefleetError } from '@sefleet/errors';
import type { Peer, StreamConnection } from '@sefleet/runtime';
import type { MessageContent } from '../codec/message.ts';
import { codeClass } from '../constants.ts';
import { badResponse, coapError } from '../errors.ts';
import type { CoapLimits } from '../limits.ts';
import type {
  Fate,
  IncomingMessage,
  MessageReceiver,
  MessageTransport,
  SentMessage,
} from '../message/transport.ts';
import { StreamSession, type StreamSessionOwner } from './stream-session.ts';

/** Header, token and options: what a body leaves free in the peer's largest message. */
const MESSAGE_OVERHEAD_BYTES = 128;
const SENT: SentMessage = { messageId: -1, withdraw: () => {} };

/** Messages over connections (RFC 8323): nothing is lost or repeated, so there are neither types nor ids. */
export class StreamLayer implements MessageTransport, StreamSessionOwner {
  readonly reliable = true;
  readonly #limits: CoapLimits;
  readonly #sessions = new Map<string, StreamSession>();
  #receiver: MessageReceiver | undefined;
  readonly #counters = {
    'messages.received': 0,
    'messages.sent': 0,
    'connections.opened': 0,
    'connections.ended': 0,
    'dropped.unexpected': 0,
    'dropped.queueFull': 0,
  };

  constructor(limits: CoapLimits) {
    this.#limits = limits;
  }

  start(receiver: MessageReceiver): void {
    this.#receiver = receiver;
  }

  attach(connection: StreamConnection): Peer {
    const { peer } = connection;
    const { maxStreamMessageBytes, maxQueuedPerPeer } = this.#limits;
    const session = new StreamSession(connection, this, maxStreamMessageBytes, maxQueuedPerPeer);
    this.#sessions.set(peer.key, session);
    this.#counters['connections.opened']++;
    return peer;
  }

  session(peer: Peer): StreamSession {
    const session = this.#sessions.get(peer.key);
    if (session !== undefined) return session;
    throw coapError('COAP_PEER_GONE', `no connection to ${peer.key}`, { context: { peer: peer.key } });
  }

  send(peer: Peer, content: MessageContent, _confirmable: boolean, _fate: Fate | undefined): SentMessage {
    const session = this.session(peer);
    if (session.releasing && codeClass(content.code) === 0) {
      throw coapError('COAP_PEER_GONE', `${peer.key} asked to release the connection`);
    }
    if (!session.send(content)) {
      this.#counters['dropped.queueFull']++;
      throw coapError('COAP_QUEUE_FULL', `${peer.key} does not read what it is sent`);
    }
    this.#counters['messages.sent']++;
    return SENT;
  }

  respond({ peer }: IncomingMessage, content: MessageContent | undefined): void {
    if (content === undefined) return;
    const session = this.#sessions.get(peer.key);
    if (session === undefined) return;
    // A response cannot be dropped on a transport that loses nothing: who does not read loses the connection.
    if (session.send(content)) this.#counters['messages.sent']++;
    else session.abort('responses are not read');
  }

  defer(): void {
    // The transport has acknowledged the request already.
  }

  reject({ peer }: IncomingMessage): void {
    this.#sessions.get(peer.key)?.abort('the message was rejected');
  }

  maxBlockBytes(peer: Peer): number {
    const peerMax = this.#sessions.get(peer.key)?.peerMaxBytes ?? 0;
    return Math.max(16, Math.min(peerMax, this.#limits.maxStreamMessageBytes) - MESSAGE_OVERHEAD_BYTES);
  }

  message({ peer }: StreamSession, { code, token, options, payload }: MessageContent): void {
    this.#counters['messages.received']++;
    const incoming: IncomingMessage = { peer, code, token, options, payload, confirmable: true };
    const kind = codeClass(code);
    if (kind === 0) this.#receiver?.request(incoming);
    else if (kind === 1 || kind === 6) {
      this.#counters['dropped.unexpected']++;
      this.#receiver?.unreadable(peer, token, badResponse(peer, code, 'reserved-code'));
    } else if (this.#receiver?.response(incoming) !== true) this.#counters['dropped.unexpected']++;
  }

  gone(session: StreamSession, _error: SefleetError): void {
    const { peer } = session;
    if (this.#sessions.get(peer.key) !== session) return;
    this.#sessions.delete(peer.key);
    this.#counters['connections.ended']++;
    this.#receiver?.peerGone(peer);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters;
  }

  open(): { readonly connections: number } {
    return { connections: this.#sessions.size };
  }

  close(): void {
    for (const session of this.#sessions.values()) session.release();
  }
}
