import type { CipherSuiteName } from '@sefleet/dtls';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT } from '@sefleet/lwm2m';
import { DEFAULT_CLIENT_SETTINGS, type Lwm2mClientSettings } from '@sefleet/lwm2m-coap';
import type { EventLog } from '@sefleet/observability';
import type { AddressableChannel, Rng, Runtime } from '@sefleet/runtime';
import { createSeededRng } from '@sefleet/runtime/sim';
import { timingOf, type CardTimingSettings } from '../device/card-timing.ts';
import { connectivityText } from '../device/connectivity.ts';
import { DeviceSockets } from '../device/transport/device-sockets.ts';
import { createFleetTransport } from '../device/transport/fleet-transport.ts';
import type { StreamTransportOptions } from '../device/transport/stream-connection.ts';
import { ReadingSource } from '../device/reading-source.ts';
import { VirtualDevice, type DeviceServices } from '../device/virtual-device.ts';
import { KIND_FACTS, type DeviceKind } from '../device-kind.ts';
import { EVENTS } from '../events.ts';
import { bindImpaired } from '../network/impaired-channel.ts';
import { isClear } from '../network/network-conditions.ts';
import type { FleetPlan, FleetStore, StoredDevice } from '../store/fleet-store.ts';
import type { GroupCommit } from '../store/group-commit.ts';
import type { RecordCarrier } from '../telemetry/record-carrier.ts';
import type { CardSource } from './card-source.ts';
import { servicesOf, withNetworkOf, type FleetHooks } from './fleet-hooks.ts';
import { deviceEvents } from './device-events.ts';
import { FleetMetrics } from './fleet-metrics.ts';
import { planDevices, type PlannedDevice } from './fleet-plan.ts';
import { Gate } from './gate.ts';

/** What a fleet works with. */
export interface FleetPorts {
  readonly runtime: Runtime;
  readonly store: FleetStore;
  readonly journal: GroupCommit;
  readonly cards: CardSource;
  readonly log: EventLog;
  /** A socket for one conversation of one device. */
  bind(): Promise<AddressableChannel>;
  /** A connection of one device; see `StreamTransportOptions`. */
  readonly openStream: StreamTransportOptions['openStream'];
  /** How records of a kind travel; undefined: by LwM2M Send. */
  carrierFor(device: VirtualDevice, metrics: FleetMetrics): RecordCarrier;
  residentMemoryBytes(): number;
  /** What a rehearsal decides, when the fleet is one's. */
  hooks?(): FleetHooks | undefined;
  /** File descriptors that the process may open; undefined when the system does not tell. */
  openFilesLimit?(): number | undefined;
}

/** How a fleet behaves towards its servers. */
export interface FleetLimits extends CardTimingSettings {
  readonly startConcurrency: number;
  readonly handshakeConcurrency: number;
  readonly keepAliveMs: number;
  /** How long devices in queue mode listen after a message. */
  readonly awakeTimeMs: number;
  /** Validity of the certificates that cards issue for TLS sessions. */
  readonly sessionCertificateMinutes: number;
  readonly cipherSuite: CipherSuiteName;
}

/** A device that takes longer to start makes room for the next; it goes on trying. */
const START_SLOT_MS = 10_000;
const RESTART_DELAY_MS = 5000;
const ORDER_RETRY_MS = 1000;
const SWEEP_MS = 1000;
/** A large fleet asks its server less often: a hundred signs of life a second, at most. */
const KEEP_ALIVE_MS_A_DEVICE = 10;
const MINUTE_MS = 60_000;
const DRAIN_POLL_MS = 50;
const STOP_CONCURRENCY = 64;

/**
 * Devices on mains, with somebody watching: quick to notice and to return (see the enabler's slower
 * defaults).
 */
const CLIENT_SETTINGS: Lwm2mClientSettings = {
  ...DEFAULT_CLIENT_SETTINGS,
  bootstrapTimeoutMs: 15_000,
  bootstrapLingerMs: 2000,
  bootstrapRetry: { count: 5, timerSeconds: 1, sequenceDelaySeconds: 10, sequenceCount: 1000 },
  sendFormat: CONTENT_FORMAT.SENML_CBOR,
  reconnectSpreadMs: 1000,
};

/** Virtual devices from one plan: orders their cards, switches them on, keeps them going. */
export class Fleet {
  readonly plan: FleetPlan;
  readonly metrics: FleetMetrics;
  readonly #ports: FleetPorts;
  readonly #limits: FleetLimits;
  readonly #planned: readonly PlannedDevice[];
  readonly #devices = new Map<string, VirtualDevice>();
  readonly #services: DeviceServices;
  readonly #startGate: Gate;
  readonly #stopped = new AbortController();
  readonly #pathRng: Rng;
  readonly #hooks: FleetHooks | undefined;
  #readings = true;
  #admitted = 0;

  constructor(plan: FleetPlan, ports: FleetPorts, limits: FleetLimits) {
    const { runtime } = ports;
    this.plan = plan;
    this.#ports = ports;
    const hooks = ports.hooks?.();
    this.#hooks = hooks;
    this.#limits = limits;
    this.#planned = planDevices(plan);
    this.#pathRng = createSeededRng(Number(plan.seed & 0xffff_ffffn));
    this.#startGate = new Gate(limits.startConcurrency);
    this.metrics = new FleetMetrics(() => runtime.clock.monotonicMs(), ports.residentMemoryBytes());
    const handshakes = new Gate(limits.handshakeConcurrency);
    const transport = createFleetTransport({
      runtime,
      openStream: (place, tls) => ports.openStream(place, tls),
      sessionCertificateMs: limits.sessionCertificateMinutes * MINUTE_MS,
      streamEvents: this.metrics.streamEvents,
      sockets: new DeviceSockets(() => this.#bind()),
      cardOf: (endpoint) => this.#devices.get(endpoint)?.card,
      cipherSuites: [limits.cipherSuite],
      events: this.metrics.dtlsEvents,
    });
    this.#services = {
      runtime,
      store: ports.store,
      journal: ports.journal,
      transport: withNetworkOf(hooks, {
        connect: (request) => handshakes.run(() => transport.connect(request)),
      }),
      connectivity: plan.connectivity,
      clientSettings: { ...CLIENT_SETTINGS, awakeTimeMs: limits.awakeTimeMs },
      clientEvents: deviceEvents({
        metrics: this.metrics,
        log: ports.log,
        total: this.total,
        device: (endpoint) => this.#devices.get(endpoint),
        takesReadings: () => this.#readings,
      }),
      cardTiming: timingOf(limits),
      withoutReadings: (kind) => KIND_FACTS[kind].withoutReadings,
      carrierFor: (device) => ports.carrierFor(device, this.metrics),
      count: (name) => this.metrics.count(name),
      ...servicesOf(hooks),
    };
  }

  get total(): number {
    return this.#planned.length;
  }

  /** The device of that name, once its card has been delivered. */
  device(endpoint: string): VirtualDevice | undefined {
    return this.#devices.get(endpoint);
  }

  get devices(): Iterable<VirtualDevice> {
    return this.#devices.values();
  }

  /** Records that are sealed and records that are acknowledged, of all devices. */
  records(): { readonly sealed: number; readonly acknowledged: number } {
    let sealed = 0;
    let acknowledged = 0;
    for (const device of this.#devices.values()) {
      sealed += device.sealed;
      acknowledged += device.acknowledged;
    }
    return { sealed, acknowledged };
  }

  /** Planned devices of a kind. */
  countOf(kind: DeviceKind): number {
    return this.plan.kinds.find((planned) => planned.kind === kind)?.count ?? 0;
  }

  /**
   * Switches the devices on: those on disk first, the others as their cards arrive.
   *
   * @param how `resume` goes on where the process ended; `start` begins the readings of the plan, with what
   *   the registers of devices that were there before show.
   * @returns when the first cards are there or none are missing; rejects with the factory's error when it
   *   makes no such cards. A factory that cannot be reached is asked again and again.
   */
  switchOn(how: 'start' | 'resume', takeReadings = true): Promise<void> {
    this.#readings = takeReadings;
    const accepted = Promise.withResolvers<void>();
    void this.#switchOnAll(how, accepted);
    this.#sweep();
    return accepted.promise;
  }

  /**
   * Ends the production of readings and waits until all are acknowledged. False when the time is up before.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    this.#readings = false;
    for (const device of this.#devices.values()) device.stopReadings();
    const { clock } = this.#ports.runtime;
    const untilMs = clock.monotonicMs() + timeoutMs;
    for (;;) {
      const { sealed, acknowledged } = this.records();
      if (sealed === acknowledged) break;
      if (clock.monotonicMs() >= untilMs || this.#stopped.signal.aborted) return false;
      await this.#wait(DRAIN_POLL_MS);
    }
    this.#ports.journal.flush();
    return true;
  }

  /** De-registers every device and switches it off. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    const gate = new Gate(STOP_CONCURRENCY);
    await Promise.all([...this.#devices.values()].map((device) => gate.run(() => device.stop())));
    this.#ports.journal.flush();
  }

  /**
   * Ends without a word to the servers, for the end of the process: the fleet goes on when it starts again.
   */
  async powerOff(): Promise<void> {
    this.#stopped.abort();
    await Promise.all([...this.#devices.values()].map((device) => device.powerOff()));
    this.#ports.journal.flush();
  }

  async #switchOnAll(how: 'start' | 'resume', accepted: PromiseWithResolvers<void>): Promise<void> {
    const missing = new Map<string, PlannedDevice>();
    for (const planned of this.#planned) {
      const { endpoint } = planned;
      if (this.#ports.store.connectivityOf(endpoint) !== connectivityText(this.plan.connectivity))
        missing.set(endpoint, planned);
      else this.#admit(endpoint, how);
    }
    while (missing.size > 0 && !this.#stopped.signal.aborted) {
      try {
        await this.#orderCards(missing, accepted);
      } catch (error) {
        this.#ports.log.emit(EVENTS.cardsUnavailable, { missing: missing.size, error });
        this.metrics.count(`cards.${isSefleetError(error) ? error.code : 'failed'}`);
        // What the factory does not make it will not make a second later either.
        if (isSefleetError(error) && error.fault === 'caller') {
          for (const { endpoint, kind } of missing.values()) this.metrics.deviceFailed(endpoint, kind);
          accepted.reject(error);
          return;
        }
        accepted.resolve();
        await this.#wait(ORDER_RETRY_MS);
      }
    }
    accepted.resolve();
  }

  /** Takes what arrives out of `missing`. */
  async #orderCards(
    missing: Map<string, PlannedDevice>,
    accepted: PromiseWithResolvers<void>,
  ): Promise<void> {
    const { cards, store } = this.#ports;
    const { connectivity } = this.plan;
    const orders = [...missing.values()].map(({ endpoint, kind }) => ({ endpoint, kind, connectivity }));
    for await (const delivered of cards.order(orders, this.#stopped.signal)) {
      const known = delivered.flatMap((device) => {
        const planned = missing.get(device.endpoint);
        return planned === undefined ? [] : [{ ...device, connectivity, number: planned.number }];
      });
      store.addDevices(known);
      for (const { endpoint } of known) {
        missing.delete(endpoint);
        this.#admit(endpoint, 'start');
      }
      accepted.resolve();
    }
  }

  /** Queues a device for its start. What is known of it stays on disk until its turn comes. */
  #admit(endpoint: string, how: 'start' | 'resume'): void {
    const position = this.#admitted++;
    const { startRate } = this.plan;
    const begin = (): void => {
      void this.#startGate.run(() => this.#switchOn(endpoint, how));
    };
    if (startRate === 0) begin();
    else this.#ports.runtime.timers.after((position * 1000) / startRate, begin);
  }

  async #switchOn(endpoint: string, how: 'start' | 'resume'): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const stored = this.#ports.store.device(endpoint);
    const device = stored === undefined ? undefined : this.#create(stored, how);
    if (device === undefined) return;
    this.#devices.set(device.endpoint, device);
    this.#hooks?.created(device);
    this.metrics.deviceSwitchedOn(device.endpoint, device.kind, device.bootstrapped);
    await Promise.race([this.#startDevice(device), this.#wait(START_SLOT_MS)]);
  }

  #create(stored: StoredDevice, how: 'start' | 'resume'): VirtualDevice | undefined {
    const { kinds } = this.plan;
    const intervalMs = kinds.find(({ kind }) => kind === stored.kind)?.readingIntervalMs ?? 0;
    try {
      const readings = this.#hooks?.readingsOf(stored) ?? this.#readingsOf(stored, intervalMs, how);
      return new VirtualDevice(stored, readings, intervalMs, this.#services);
    } catch (error) {
      this.metrics.deviceFailed(stored.endpoint, stored.kind);
      this.metrics.count('device.unusable');
      this.#ports.log.emit(EVENTS.deviceUnusable, { endpoint: stored.endpoint, error });
      return undefined;
    }
  }

  #readingsOf(
    { kind, number, readings }: StoredDevice,
    intervalMs: number,
    how: 'start' | 'resume',
  ): ReadingSource {
    const { seed: fleetSeed, timeCompression, virtualStartMs } = this.plan;
    const plan = { fleetSeed, kind, number, intervalMs, timeCompression, virtualStartMs };
    const source = new ReadingSource(plan);
    if (readings !== '' && how === 'resume') source.restore(readings);
    else if (readings !== '') source.carryOver(readings);
    return source;
  }

  async #startDevice(device: VirtualDevice): Promise<void> {
    try {
      await device.start();
    } catch (error) {
      if (this.#stopped.signal.aborted || isSefleetError(error, 'LWM2M_CLIENT_STOPPED')) return;
      this.metrics.deviceFailed(device.endpoint, device.kind);
      this.metrics.count('device.failed');
      this.#ports.log.emit(EVENTS.deviceFailed, { endpoint: device.endpoint, error });
      this.#ports.runtime.timers.after(RESTART_DELAY_MS, () => void this.#startDevice(device));
    }
  }

  /** Looks every second for devices whose server has been silent for too long. */
  #sweep(): void {
    if (this.#stopped.signal.aborted) return;
    // A device that sleeps is not woken to see whether its server is there.
    if (this.plan.connectivity.queueMode) return;
    const { clock, timers } = this.#ports.runtime;
    const silenceMs = Math.max(this.#limits.keepAliveMs, this.total * KEEP_ALIVE_MS_A_DEVICE);
    const sinceMs = clock.monotonicMs() - silenceMs;
    for (const device of this.#devices.values()) device.keepAlive(sinceMs);
    timers.after(SWEEP_MS, () => this.#sweep());
  }

  /** A socket, with the path that the plan asks for in front of it. */
  #bind(): Promise<AddressableChannel> {
    const { runtime } = this.#ports;
    const { network: conditions } = this.plan;
    if (isClear(conditions)) return this.#ports.bind();
    const bind = (): Promise<AddressableChannel> => this.#ports.bind();
    return bindImpaired({ runtime, rng: this.#pathRng, conditions, bind });
  }

  #wait(delayMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ports.runtime.timers.after(delayMs, resolve);
    return promise;
  }
}
