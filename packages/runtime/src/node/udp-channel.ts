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
  #closed = false;

  private constructor(socket: Socket, options: UdpChannelOptions) {
    this.#socket = socket;
    this.#maxQueued = options.maxQueued ?? 16_384;
    this.#maxPayloadBytes = options.maxPayloadBytes ?? 1232;
  }

  /** Binds a socket; rejects with the system's error (`EADDRINUSE`, ...) when that fails. */
  static async bind(options: UdpChannelOptions = {}): Promise<UdpChannel> {
    const address = options.address ?? '127.0.0.1';
    const socket = createSocket({
      type: address.includes(':') ? 'udp6' : 'udp4',
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
    if (this.#closed || this.#queued >= this.#maxQueued) {
      this.#counters[this.#closed ? 'dropped.closed' : 'dropped.queueFull']++;
      return;
    }
    this.#queued++;
    // dgram keeps a reference until the system call, which may come in a later turn: the copy makes reuse
    // safe.
    this.#socket.send(data.slice(), peer.port, peer.address, this.#onSent);
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

  readonly #onSent = (error: Error | null): void => {
    this.#queued--;
    if (error !== null) this.#counters['dropped.sendError']++;
  };
}
