import type {
  AddressableChannel,
  Clock,
  DatagramHandlers,
  Peer,
  Rng,
  Runtime,
  Timer,
} from '@sefleet/runtime';

interface Pending {
  readonly dueMs: number;
  run: (() => void) | undefined;
}

/** A world that moves only when told: time stands still between {@link ManualRuntime.fireTimers}. */
export class ManualRuntime implements Runtime {
  #nowMs = 0;
  #timers: Pending[] = [];
  readonly rng: Rng;
  readonly clock: Clock = { monotonicMs: () => this.#nowMs, wallMs: () => this.#nowMs };
  readonly timers = { after: (delayMs: number, run: () => void): Timer => this.#after(delayMs, run) };

  constructor(rng: Rng) {
    this.rng = rng;
  }

  /** Runs everything that is due until `untilMs` from now, in order. */
  fireTimers(untilMs: number): void {
    const end = this.#nowMs + untilMs;
    for (;;) {
      this.#timers = this.#timers.filter((timer) => timer.run !== undefined);
      const [next] = this.#timers.toSorted((a, b) => a.dueMs - b.dueMs);
      if (next === undefined || next.dueMs > end) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      const run = next.run;
      next.run = undefined;
      run?.();
    }
    this.#nowMs = end;
  }

  get waiting(): number {
    return this.#timers.filter((timer) => timer.run !== undefined).length;
  }

  #after(delayMs: number, run: () => void): Timer {
    const timer: Pending = { dueMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.run = undefined;
      },
    };
  }
}

/** A channel in memory: what is sent lands in `outbox`, and the test decides what arrives where. */
export class MemoryChannel implements AddressableChannel {
  readonly outbox: Uint8Array[] = [];
  readonly #address: string;
  #handlers: DatagramHandlers | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  listen(handlers: DatagramHandlers): void {
    this.#handlers = handlers;
  }

  deliver(data: Uint8Array, from: Peer): void {
    this.#handlers?.datagram(data, from);
  }

  peerAt(address: string, port: number): Peer {
    return { key: `${address}:${port}`, address, port, identity: { kind: 'none' } };
  }

  /** What goes to anybody else than the two sides is lost. */
  send(data: Uint8Array, peer: Peer): void {
    if (peer.address.startsWith('10.0.0.')) this.outbox.push(data.slice());
  }

  maxPayload(): number {
    return 1232;
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return { address: this.#address, port: 1 };
  }

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
