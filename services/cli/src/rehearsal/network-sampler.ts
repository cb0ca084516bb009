import { setTimeout as pause } from 'node:timers/promises';
import { management } from '@sefleet/api';
import { createGrpcClient, readTlsFiles, type GrpcClient } from '@sefleet/service';
import { rehearsalPki, type RehearsalLayout } from './rehearsal-layout.ts';

/** What the LwM2M servers did together in a second, in real time. */
export interface NetworkSample {
  /** Milliseconds since the first sample. */
  readonly atMs: number;
  readonly registrationsPerSecond: number;
  readonly handshakesPerSecond: number;
  readonly retransmissionsPerSecond: number;
}

/** The work of the LwM2M servers over a whole rehearsal, the start of the meters included. */
export interface NetworkPeak {
  readonly registrations: number;
  readonly registrationsPerSecondMax: number;
  readonly handshakes: number;
  readonly handshakesPerSecondMax: number;
  readonly handshakesFailed: number;
  /** CoAP messages that servers sent, retransmissions included. */
  readonly messagesSent: number;
  readonly retransmissions: number;
  readonly retransmissionsPercent: number;
  readonly retransmissionsPerSecondMax: number;
  /** Messages that came a second time: what meters sent again. */
  readonly duplicates: number;
  /** Messages that were never acknowledged. */
  readonly timedOut: number;
}

export interface NetworkProfile extends NetworkPeak {
  readonly samples: readonly NetworkSample[];
}

/** Counters of a server by name, as its statistics give them. */
export type ReadCounters = () => Promise<ReadonlyMap<string, number>>;

const TICK_MS = 1000;
const CALL = { deadlineMs: 2000 };
/** More would make the report large; every second one is given up when there are more. */
const SAMPLES_MAX = 600;
const COUNTED = {
  registrations: 'registration.accepted',
  handshakes: 'dtls.handshakes.completed',
  messagesSent: 'coap.messages.sent',
  retransmissions: 'coap.messages.retransmitted',
  duplicates: 'coap.messages.duplicates',
  timedOut: 'coap.messages.timedOut',
} as const;
const FAILED_HANDSHAKE = 'dtls.failed.';

type Figure = keyof typeof COUNTED | 'handshakesFailed';
type Figures = Readonly<Record<Figure, number>>;

/** Asks the LwM2M servers of a rehearsal every second what they have done. */
export class NetworkSampler {
  readonly #servers: readonly { readonly read: ReadCounters; before: Figures; atMs: number }[];
  readonly #stop = new AbortController();
  readonly #total: Record<Figure, number> = { ...NOTHING };
  readonly #most: Record<Figure, number> = { ...NOTHING };
  #samples: NetworkSample[] = [];
  #startedMs: number | undefined;
  #loop: Promise<void> | undefined;

  constructor(servers: readonly ReadCounters[]) {
    this.#servers = servers.map((read) => ({ read, before: NOTHING, atMs: 0 }));
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Ends the asking; what was found, or nothing where there is no network. */
  async stop(): Promise<NetworkProfile | undefined> {
    const isRunning = !this.#stop.signal.aborted;
    this.#stop.abort();
    await this.#loop;
    if (this.#servers.length === 0) return undefined;
    if (isRunning) await this.tick(performance.now());
    const { messagesSent, retransmissions } = this.#total;
    return {
      ...this.#total,
      registrationsPerSecondMax: this.#most.registrations,
      handshakesPerSecondMax: this.#most.handshakes,
      retransmissionsPerSecondMax: this.#most.retransmissions,
      retransmissionsPercent:
        messagesSent === 0 ? 0 : Math.round((retransmissions * 10_000) / messagesSent) / 100,
      samples: this.#samples,
    };
  }

  /** Asks once. */
  async tick(nowMs: number): Promise<void> {
    this.#startedMs ??= nowMs;
    const rates: Record<Figure, number> = { ...NOTHING };
    await Promise.all(
      this.#servers.map(async (server) => {
        const found = await figuresOf(server.read);
        // It was killed, or is too busy to answer: what it did meanwhile comes with its next answer.
        if (found === undefined) return;
        const seconds = server.atMs === 0 ? 1 : Math.max(nowMs - server.atMs, 1) / 1000;
        for (const figure of FIGURES) {
          // One that was killed counts from nothing again.
          const before = found.messagesSent < server.before.messagesSent ? 0 : server.before[figure];
          const added = Math.max(0, found[figure] - before);
          this.#total[figure] += added;
          rates[figure] += added / seconds;
        }
        server.before = found;
        server.atMs = nowMs;
      }),
    );
    for (const figure of FIGURES)
      this.#most[figure] = Math.max(this.#most[figure], Math.round(rates[figure]));
    this.#samples.push({
      atMs: Math.round(nowMs - this.#startedMs),
      registrationsPerSecond: Math.round(rates.registrations),
      handshakesPerSecond: Math.round(rates.handshakes),
      retransmissionsPerSecond: Math.round(rates.retransmissions),
    });
    if (this.#samples.length > SAMPLES_MAX) this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
  }

  async #run(): Promise<void> {
    if (this.#servers.length === 0) return;
    while (!this.#stop.signal.aborted) {
      await this.tick(performance.now());
      await pause(TICK_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}

/** Clients for the LwM2M servers of a rehearsal, and how to ask them; none on the light ground. */
export function statisticsOf(layout: RehearsalLayout): {
  readonly reads: readonly ReadCounters[];
  close(): void;
} {
  const ports = [
    ...(layout.headPort === undefined ? [] : [layout.headPort]),
    ...layout.supplierPorts.values(),
  ];
  if (ports.length === 0) return { reads: [], close: () => undefined };
  const tls = readTlsFiles(rehearsalPki(layout), 'cli');
  const clients = ports.map((port) =>
    createGrpcClient(management.DeviceManagementService, `127.0.0.1:${port}`, tls),
  );
  return {
    reads: clients.map((client) => () => readCounters(client)),
    close: () => clients.forEach((client) => client.close()),
  };
}

async function readCounters(
  client: Pick<GrpcClient<typeof management.DeviceManagementService>, 'getStatistics'>,
): Promise<ReadonlyMap<string, number>> {
  const { counters } = await client.getStatistics({}, CALL);
  return new Map(counters.map(({ name, value }) => [name, Number(value)]));
}

async function figuresOf(read: ReadCounters): Promise<Figures | undefined> {
  let counters: ReadonlyMap<string, number>;
  try {
    counters = await read();
  } catch {
    return undefined;
  }
  const figures: Record<Figure, number> = { ...NOTHING };
  for (const figure of FIGURES)
    if (figure !== 'handshakesFailed') figures[figure] = counters.get(COUNTED[figure]) ?? 0;
  for (const [name, value] of counters)
    if (name.startsWith(FAILED_HANDSHAKE)) figures.handshakesFailed += value;
  return figures;
}

const NOTHING: Figures = {
  registrations: 0,
  handshakes: 0,
  handshakesFailed: 0,
  messagesSent: 0,
  retransmissions: 0,
  duplicates: 0,
  timedOut: 0,
};
const FIGURES: readonly Figure[] = [
  'registrations',
  'handshakes',
  'handshakesFailed',
  'messagesSent',
  'retransmissions',
  'duplicates',
  'timedOut',
];
