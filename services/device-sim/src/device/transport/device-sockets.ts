import type { AddressableChannel, DatagramHandlers, Peer } from '@sefleet/runtime';

/** One socket, and the conversations of its device that go over it. */
interface DeviceSocket {
  readonly channel: Promise<AddressableChannel>;
  /** Every server that was ever spoken to from it. */
  readonly met: Set<string>;
  /** Who is told of what comes from a server, by the key of that peer. */
  readonly handlers: Map<string, DatagramHandlers>;
  conversations: number;
}

/**
 * Sockets of devices: the conversations of a device with different servers share one, as they would share a
 * modem's address. What arrives is told apart by whom it comes from. A conversation that begins anew with a
 * server gets another socket: nothing of the old one that is still under way can get into it, and to the
 * server it comes from an address that it does not know.
 */
export class DeviceSockets {
  readonly #bind: () => Promise<AddressableChannel>;
  readonly #sockets = new Map<string, DeviceSocket[]>();

  constructor(bind: () => Promise<AddressableChannel>) {
    this.#bind = bind;
  }

  /** A channel of `device` to one server. Rejects as the system refuses sockets. */
  async open(device: string, address: string, port: number): Promise<AddressableChannel> {
    const socket = this.#socketFor(device, `${address}:${port}`);
    socket.conversations++;
    try {
      const channel = await socket.channel;
      const server = channel.peerAt(address, port).key;
      return new Conversation(channel, server, socket.handlers, () => this.#leave(device, socket));
    } catch (error) {
      await this.#leave(device, socket).catch(() => undefined);
      throw error;
    }
  }

  #socketFor(device: string, server: string): DeviceSocket {
    const own = this.#sockets.get(device) ?? [];
    const known = own.find(({ met }) => !met.has(server));
    if (known !== undefined) {
      known.met.add(server);
      return known;
    }
    const handlers: DeviceSocket['handlers'] = new Map();
    const channel = this.#bind().then((bound) => {
      bound.listen({
        datagram: (data, peer) => handlers.get(peer.key)?.datagram(data, peer),
        peerGone: (peer, reason) => handlers.get(peer.key)?.peerGone?.(peer, reason),
      });
      return bound;
    });
    const socket: DeviceSocket = { channel, met: new Set([server]), handlers, conversations: 0 };
    this.#sockets.set(device, [...own, socket]);
    return socket;
  }

  /** The last conversation takes its socket along. */
  async #leave(device: string, socket: DeviceSocket): Promise<void> {
    socket.conversations--;
    if (socket.conversations > 0) return;
    const others = (this.#sockets.get(device) ?? []).filter((other) => other !== socket);
    if (others.length === 0) this.#sockets.delete(device);
    else this.#sockets.set(device, others);
    await (await socket.channel).close();
  }
}

/** The part of a socket's traffic that is with one server. */
class Conversation implements AddressableChannel {
  readonly #channel: AddressableChannel;
  readonly #server: string;
  readonly #handlers: Map<string, DatagramHandlers>;
  readonly #leave: () => Promise<void>;
  #closed = false;

  constructor(
    channel: AddressableChannel,
    server: string,
    handlers: Map<string, DatagramHandlers>,
    leave: () => Promise<void>,
  ) {
    this.#channel = channel;
    this.#server = server;
    this.#handlers = handlers;
    this.#leave = leave;
  }

  listen(handlers: DatagramHandlers): void {
    this.#handlers.set(this.#server, handlers);
  }

  peerAt(address: string, port: number): Peer {
    return this.#channel.peerAt(address, port);
  }

  send(data: Uint8Array, peer: Peer): void {
    if (!this.#closed) this.#channel.send(data, peer);
  }

  maxPayload(peer: Peer): number {
    return this.#channel.maxPayload(peer);
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return this.#channel.localAddress();
  }

  /** Of the whole socket. */
  counters(): Readonly<Record<string, number>> {
    return this.#channel.counters();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.delete(this.#server);
    await this.#leave();
  }
}
