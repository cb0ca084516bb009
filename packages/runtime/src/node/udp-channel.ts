import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { AddressableChannel, DatagramHandlers, Peer } from '../datagram-channel.ts';

/** How a {@link UdpChannel} is bound and how much it may hold. */
export interface UdpChannelOptions {
  readonly address?: string;
  /** 0 takes a free port. */
  readonly port?: number;
  /** Bytes of the socket's receive buffer; a server wants megabytes so that a burst of a fleet fits. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /** Datagrams handed to the system and not yet taken; beyond it they are dropped and counted. */
  readonly maxQueued?: number;
  /**
   * Largest payload without IP fragmentation on the path. RFC 7252 §4.6 and RFC 7925 §10 assume 1,280-byte
   * links.
   */
  readonly maxPayloadBytes?: number;
}

const MAX_KNOWN_PEERS = 65_536;
/** Memory that datagrams are copied into until the system has them; shared by all sockets of a fleet. */
const POOL_BYTES = 65_536;
let pool = Buffer.allocUnsafeSlow(POOL_BYTES);
let poolUsed = 0;
/** dgram is asked for its queue after so many sends: asking costs about as much as a tenth of a send. */
const QUEUE_CHECK_EVERY = 32;

/** A UDP socket as a {@link AddressableChannel}, over `node:dgram`. */
export class UdpChannel implements AddressableChannel {
  readonly #socket: Socket;
  readonly #maxQueued: number;
  readonly #maxPayloadBytes: number;
  readonly #counters = {
    received: 0,
    sent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    'dropped.queueFull': 0,
    'dropped.sendError': 0,
    'dropped.closed': 0,
  };
  #peers = new Map<string, Peer>();
  #queued = 0;
  #sendsUntilCheck = QUEUE_CHECK_EVERY;
  #closed = false;

  private constructor(socket: Socket, options: UdpChannelOptions) {
    this.#socket = socket;
    this.#maxQueued = options.maxQueued ?? 16_384;
    this.#maxPayloadBytes = options.maxPayloadBytes ?? 1232;
  }

  /** Binds a socket; rejects with the system's error (`EADDRINUSE`, ...) when that fails. */
  static async bind(options: UdpChannelOptions = {}): Promise<UdpChannel> {
    const address = options.address ?? '127.0.0.1';
    const family = address.includes(':') ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      // Peers are literal addresses. dgram's own look-up would put each send off to a later tick.
      lookup: (literal, _options, found) => found(null, literal, family),
      ...(options.receiveBufferBytes === undefined ? {} : { recvBufferSize: options.receiveBufferBytes }),
      ...(options.sendBufferBytes === undefined ? {} : { sendBufferSize: options.sendBufferBytes }),
    });
    const bound = once(socket, 'listening');
    socket.bind({ address, port: options.port ?? 0 });
    await bound;
    const channel = new UdpChannel(socket, options);
    socket.on('error', () => channel.#counters['dropped.sendError']++);
    return channel;
  }

  listen(handlers: DatagramHandlers): void {
    this.#socket.on('message', (data, from) => {
      this.#counters.received++;
      this.#counters.bytesReceived += data.length;
      handlers.datagram(data, this.peerAt(from.address, from.port));
    });
  }

  peerAt(address: string, port: number): Peer {
    const key = `${address}:${port}`;
    const known = this.#peers.get(key);
    if (known !== undefined) return known;
    // Peers are values: forgetting them only costs making them anew.
    if (this.#peers.size >= MAX_KNOWN_PEERS) this.#peers = new Map();
    const peer: Peer = { key, address, port, identity: { kind: 'none' } };
    this.#peers.set(key, peer);
    return peer;
  }

  send(data: Uint8Array, peer: Peer): void {
    if (--this.#sendsUntilCheck === 0) {
      this.#sendsUntilCheck = QUEUE_CHECK_EVERY;
      this.#queued = this.#closed ? 0 : this.#socket.getSendQueueCount();
    }
    if (this.#closed || this.#queued >= this.#maxQueued) {
      this.#counters[this.#closed ? 'dropped.closed' : 'dropped.queueFull']++;
      return;
    }
    // No callback: it would cost a tick for each datagram, and an error comes as the socket's event as well.
    this.#socket.send(this.#kept(data), peer.port, peer.address);
    this.#counters.sent++;
    this.#counters.bytesSent += data.length;
  }

  maxPayload(_peer: Peer): number {
    return this.#maxPayloadBytes;
  }

  localAddress(): { readonly address: string; readonly port: number } {
    const { address, port } = this.#socket.address();
    return { address, port };
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  /** A copy: dgram may keep what it is given until a later turn, and the caller may reuse it at once. */
  #kept(data: Uint8Array): Buffer {
    if (poolUsed + data.length > POOL_BYTES) {
      pool = Buffer.allocUnsafeSlow(POOL_BYTES);
      poolUsed = 0;
    }
    const start = poolUsed;
    poolUsed += data.length;
    pool.set(data, start);
    return pool.subarray(start, poolUsed);
  }
}
