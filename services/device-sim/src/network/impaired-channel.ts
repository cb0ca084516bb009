import type { AddressableChannel, DatagramHandlers, Peer, Rng, Runtime, Timer } from '@sefleet/runtime';
import type { NetworkConditions } from './network-conditions.ts';

/** How an impaired channel is made. */
export interface ImpairedChannelOptions {
  readonly runtime: Runtime;
  /** Seeded, so that the same faults come again. */
  readonly rng: Rng;
  readonly conditions: NetworkConditions;
  /** A socket; called again whenever the NAT forgets its binding. */
  bind(): Promise<AddressableChannel>;
}

/** Datagrams on their way at once on one channel; a real path's queue is bounded too. */
const MAX_IN_FLIGHT = 4096;
/** Rebindings of a fleet are spread by half of the interval around it. */
const REBIND_SPREAD = 0.5;

/** Binds a socket and puts a bad path in front of it: loss, duplicates, delay, and a NAT that forgets. */
export async function bindImpaired(options: ImpairedChannelOptions): Promise<AddressableChannel> {
  return new ImpairedChannel(options, await options.bind());
}

class ImpairedChannel implements AddressableChannel {
  readonly #options: ImpairedChannelOptions;
  readonly #counters = { 'path.lost': 0, 'path.duplicated': 0, 'path.rebound': 0, 'path.queueFull': 0 };
  #channel: AddressableChannel;
  #handlers: DatagramHandlers | undefined;
  #inFlight = 0;
  #rebinding: Timer | undefined;
  #closed = false;

  constructor(options: ImpairedChannelOptions, channel: AddressableChannel) {
    this.#options = options;
    this.#channel = channel;
    this.#rebindLater();
  }

  listen(handlers: DatagramHandlers): void {
    this.#handlers = handlers;
    this.#listenTo(this.#channel);
  }

  peerAt(address: string, port: number): Peer {
    return this.#channel.peerAt(address, port);
  }

  send(data: Uint8Array, peer: Peer): void {
    this.#carry(data, (kept) => this.#channel.send(kept, peer));
  }

  maxPayload(peer: Peer): number {
    return this.#channel.maxPayload(peer);
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return this.#channel.localAddress();
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#channel.counters(), ...this.#counters };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#rebinding?.cancel();
    await this.#channel.close();
  }

  #listenTo(channel: AddressableChannel): void {
    const handlers = this.#handlers;
    if (handlers === undefined) return;
    channel.listen({
      datagram: (data, peer) =>
        this.#carry(data, (kept) => {
          if (!this.#closed) handlers.datagram(kept, peer);
        }),
      ...(handlers.peerGone === undefined
        ? {}
        : { peerGone: (peer, reason) => handlers.peerGone?.(peer, reason) }),
    });
  }

  /** Lets a datagram pass, or not, once or twice, now or later. */
  #carry(data: Uint8Array, deliver: (data: Uint8Array) => void): void {
    const { rng, conditions } = this.#options;
    if (rng.fraction() < conditions.lossShare) {
      this.#counters['path.lost']++;
      return;
    }
    this.#deliverLater(data, deliver);
    if (rng.fraction() < conditions.duplicateShare) {
      this.#counters['path.duplicated']++;
      this.#deliverLater(data, deliver);
    }
  }

  #deliverLater(data: Uint8Array, deliver: (data: Uint8Array) => void): void {
    const { rng, conditions, runtime } = this.#options;
    const { delayMsMin, delayMsMax } = conditions;
    const delayMs = delayMsMin + rng.fraction() * (delayMsMax - delayMsMin);
    if (delayMs === 0) {
      deliver(data);
      return;
    }
    if (this.#inFlight >= MAX_IN_FLIGHT) {
      this.#counters['path.queueFull']++;
      return;
    }
    this.#inFlight++;
    // What is handed over is only valid until the call returns.
    const kept = data.slice();
    runtime.timers.after(delayMs, () => {
      this.#inFlight--;
      if (!this.#closed) deliver(kept);
    });
  }

  #rebindLater(): void {
    const { rng, conditions, runtime } = this.#options;
    if (conditions.rebindEveryMs === 0) return;
    const delayMs = conditions.rebindEveryMs * (1 + REBIND_SPREAD * (rng.fraction() - 0.5));
    this.#rebinding = runtime.timers.after(delayMs, () => void this.#rebind());
  }

  async #rebind(): Promise<void> {
    const fresh = await this.#options.bind();
    if (this.#closed) {
      await fresh.close();
      return;
    }
    const stale = this.#channel;
    this.#channel = fresh;
    this.#counters['path.rebound']++;
    this.#listenTo(fresh);
    this.#rebindLater();
    await stale.close();
  }
}
