import type { AddressableChannel, DatagramHandlers, Peer } from '../datagram-channel.ts';
import type { SimRuntime } from './sim-runtime.ts';

/** What the simulated network does to each datagram; shares are 0 to 1, times in milliseconds. */
export interface NetworkConditions {
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMsMin: number;
  /** A larger maximum than minimum reorders datagrams. */
  readonly delayMsMax: number;
  /** Datagrams above it vanish, as on a path that does not fragment. */
  readonly mtu: number;
}

const PERFECT: NetworkConditions = { loss: 0, duplicate: 0, delayMsMin: 1, delayMsMax: 1, mtu: 65_507 };

/** Datagrams between any number of channels on a {@link SimRuntime}, with faults drawn from its seed. */
export class SimNetwork {
  readonly #runtime: SimRuntime;
  readonly #channels = new Map<string, SimChannel>();
  #nextPort = 40_000;
  conditions: NetworkConditions;
  /** When set, sees every datagram on its way; false drops it. For tests that need to lose exactly one. */
  filter: ((data: Uint8Array, from: string, to: string) => boolean) | undefined;

  constructor(runtime: SimRuntime, conditions: Partial<NetworkConditions> = {}) {
    this.#runtime = runtime;
    this.conditions = { ...PERFECT, ...conditions };
  }

  /** A channel at `address` and `port` (0: a free one). */
  bind(address: string, port = 0): SimChannel {
    const channel = new SimChannel(this, address, port === 0 ? this.#nextPort++ : port);
    this.#channels.set(channel.key, channel);
    return channel;
  }

  /** Gives `channel` a new address, as a NAT that forgot its binding does. */
  rebind(channel: SimChannel, address: string, port = 0): void {
    this.#channels.delete(channel.key);
    channel.move(address, port === 0 ? this.#nextPort++ : port);
    this.#channels.set(channel.key, channel);
  }

  remove(channel: SimChannel): void {
    if (this.#channels.get(channel.key) === channel) this.#channels.delete(channel.key);
  }

  carry(data: Uint8Array, from: SimChannel, to: string): void {
    const { rng } = this.#runtime;
    const { loss, duplicate, mtu } = this.conditions;
    if (data.length > mtu || rng.fraction() < loss) return;
    if (this.filter?.(data, from.key, to) === false) return;
    const copies = rng.fraction() < duplicate ? 2 : 1;
    for (let i = 0; i < copies; i++) this.#deliver(data.slice(), from.key, to);
  }

  #deliver(data: Uint8Array, from: string, to: string): void {
    const { delayMsMin, delayMsMax } = this.conditions;
    const delayMs = delayMsMin + this.#runtime.rng.fraction() * (delayMsMax - delayMsMin);
    this.#runtime.timers.after(delayMs, () => this.#channels.get(to)?.receive(data, from));
  }
}

/** One socket of a {@link SimNetwork}. */
export class SimChannel implements AddressableChannel {
  readonly #network: SimNetwork;
  readonly #counters = { received: 0, sent: 0 };
  #address: string;
  #port: number;
  #handlers: DatagramHandlers | undefined;

  constructor(network: SimNetwork, address: string, port: number) {
    this.#network = network;
    this.#address = address;
    this.#port = port;
  }

  get key(): string {
    return `${this.#address}:${this.#port}`;
  }

  listen(handlers: DatagramHandlers): void {
    this.#handlers = handlers;
  }

  peerAt(address: string, port: number): Peer {
    return { key: `${address}:${port}`, address, port, identity: { kind: 'none' } };
  }

  send(data: Uint8Array, peer: Peer): void {
    this.#counters.sent++;
    this.#network.carry(data, this, `${peer.address}:${peer.port}`);
  }

  receive(data: Uint8Array, from: string): void {
    this.#counters.received++;
    const colon = from.lastIndexOf(':');
    this.#handlers?.datagram(data, this.peerAt(from.slice(0, colon), Number(from.slice(colon + 1))));
  }

  move(address: string, port: number): void {
    this.#address = address;
    this.#port = port;
  }

  maxPayload(): number {
    return Math.min(this.#network.conditions.mtu, 1232);
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return { address: this.#address, port: this.#port };
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  close(): Promise<void> {
    this.#network.remove(this);
    return Promise.resolve();
  }
}
