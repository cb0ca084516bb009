import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';
import type { AddressableChannel, DatagramHandlers, Peer } from '../datagram-channel.ts';
import { DatagramBatch, isFfiAvailable, openSocket, type SocketAddress } from './ffi-sockets.ts';
import type { UdpChannelOptions } from './udp-channel.ts';

/** Datagrams in one system call. */
const BATCH = 32;
/**
 * Larger ones are dropped and counted; a path's datagrams are 1,232 bytes at most unless it is told
 * otherwise.
 */
const SLOT_BYTES = 2048;
/** Batches read in one turn, before timers and other sockets get theirs. */
const BATCHES_PER_TURN = 16;
const MAX_KNOWN_PEERS = 65_536;

/** A peer with its address as the system takes it. */
interface NumberedPeer extends Peer, SocketAddress {}

/**
 * A UDP socket that reads and writes in batches (`recvmmsg`, `sendmmsg`) through Node's experimental FFI: the
 * second implementation of {@link AddressableChannel}, off by default. It needs Linux, IPv4 and a
 * runtime with `node:ffi`.
 *
 * `node:dgram` still watches the socket and reads the first datagram of each turn; what has arrived behind it
 * is read here, and what is sent within a turn leaves in one call at its end.
 */
export class FfiUdpChannel implements AddressableChannel {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #maxPayloadBytes: number;
  readonly #incoming = new DatagramBatch(BATCH, SLOT_BYTES);
  readonly #outgoing = new DatagramBatch(BATCH, SLOT_BYTES);
  readonly #counters = {
    received: 0,
    sent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    batchesReceived: 0,
    batchesSent: 0,
    'dropped.tooLong': 0,
    'dropped.sendError': 0,
    'dropped.closed': 0,
  };
  #peers = new Map<number, NumberedPeer>();
  #gathered = 0;
  #flushing: NodeJS.Immediate | undefined;
  #closed = false;

  private constructor(socket: Socket, fd: number, options: UdpChannelOptions) {
    this.#socket = socket;
    this.#fd = fd;
    this.#maxPayloadBytes = options.maxPayloadBytes ?? 1232;
  }

  /** True when this process can make one. */
  static isAvailable(): boolean {
    return isFfiAvailable();
  }

  /** Binds a socket; rejects with the system's error when that fails. */
  static async bind(options: UdpChannelOptions = {}): Promise<FfiUdpChannel> {
    const address = options.address ?? '127.0.0.1';
    const port = options.port ?? 0;
    if (!isFfiAvailable() || !isIPv4(address)) {
      throw new TypeError('FfiUdpChannel needs Linux, an IPv4 address and node:ffi');
    }
    const at = { host: hostNumber(address), port };
    const fd = openSocket(at, options.receiveBufferBytes, options.sendBufferBytes);
    const socket = createSocket('udp4');
    const listening = once(socket, 'listening');
    // Refused here, it is refused there as well, and there with the system's own error.
    socket.bind(fd === undefined ? { address, port } : { fd });
    await listening;
    if (fd === undefined) {
      socket.close();
      throw new TypeError(`${address}:${port} cannot be bound through FFI`);
    }
    const channel = new FfiUdpChannel(socket, fd, options);
    socket.on('error', () => channel.#counters['dropped.sendError']++);
    return channel;
  }

  listen(handlers: DatagramHandlers): void {
    this.#socket.on('message', (data, from) => {
      this.#counters.received++;
      this.#counters.bytesReceived += data.length;
      handlers.datagram(data, this.peerAt(from.address, from.port));
      this.#drain(handlers);
    });
  }

  peerAt(address: string, port: number): NumberedPeer {
    return this.#peer(hostNumber(address) * 0x10000 + port);
  }

  send(data: Uint8Array, peer: Peer): void {
    if (this.#closed || data.length > SLOT_BYTES) {
      this.#counters[this.#closed ? 'dropped.closed' : 'dropped.tooLong']++;
      return;
    }
    const to = isNumbered(peer) ? peer : this.peerAt(peer.address, peer.port);
    this.#outgoing.put(this.#gathered++, data, to);
    this.#counters.sent++;
    this.#counters.bytesSent += data.length;
    if (this.#gathered === BATCH) this.#flush();
    else this.#flushing ??= setImmediate(this.#onTurnEnd);
  }

  maxPayload(_peer: Peer): number {
    return Math.min(this.#maxPayloadBytes, SLOT_BYTES);
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
    this.#flush();
    this.#closed = true;
    clearImmediate(this.#flushing);
    const closed = once(this.#socket, 'close');
    // It closes the descriptor too: node:dgram owns what it was bound with.
    this.#socket.close();
    await closed;
  }

  #drain(handlers: DatagramHandlers): void {
    for (let batch = 0; batch < BATCHES_PER_TURN && !this.#closed; batch++) {
      const count = this.#incoming.receive(this.#fd);
      if (count > 0) this.#counters.batchesReceived++;
      for (let slot = 0; slot < count; slot++) {
        const data = this.#incoming.datagram(slot);
        this.#counters.received++;
        if (data === undefined) {
          this.#counters['dropped.tooLong']++;
          continue;
        }
        this.#counters.bytesReceived += data.length;
        handlers.datagram(data, this.#peer(this.#incoming.source(slot)));
      }
      if (count < BATCH) return;
    }
  }

  readonly #onTurnEnd = (): void => {
    this.#flushing = undefined;
    if (!this.#closed) this.#flush();
  };

  #flush(): void {
    if (this.#gathered === 0) return;
    const refused = this.#outgoing.send(this.#fd, this.#gathered);
    this.#counters.batchesSent++;
    this.#counters['dropped.sendError'] += refused;
    this.#gathered = 0;
  }

  #peer(numbered: number): NumberedPeer {
    const known = this.#peers.get(numbered);
    if (known !== undefined) return known;
    // Peers are values: forgetting them only costs making them anew.
    if (this.#peers.size >= MAX_KNOWN_PEERS) this.#peers = new Map();
    const host = Math.floor(numbered / 0x10000);
    const port = numbered % 0x10000;
    const address = `${host >>> 24}.${(host >>> 16) & 0xff}.${(host >>> 8) & 0xff}.${host & 0xff}`;
    const peer: NumberedPeer = { key: `${address}:${port}`, address, port, host, identity: { kind: 'none' } };
    this.#peers.set(numbered, peer);
    return peer;
  }
}

function isNumbered(peer: Peer): peer is NumberedPeer {
  return 'host' in peer;
}

function hostNumber(address: string): number {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
