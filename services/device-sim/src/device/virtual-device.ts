import { isSefleetError } from '@sefleet/errors';
import type { ObjectTree } from '@sefleet/lwm2m';
import {
  createLwm2mClient,
  decodeApduScript,
  encodeApduScript,
  type Lwm2mClient,
  type Lwm2mClientEvents,
  type Lwm2mClientSettings,
  type Lwm2mTransport,
} from '@sefleet/lwm2m-coap';
import type { Runtime } from '@sefleet/runtime';
import { decodeDeviceOrder, type TimingProfile } from '@sefleet/secure-element';
import type { DeviceKind } from '../device-kind.ts';
import type { DeviceState, FleetStore, StoredDevice } from '../store/fleet-store.ts';
import type { GroupCommit, JournaledDevice } from '../store/group-commit.ts';
import { Lwm2mCarrier } from '../telemetry/lwm2m-carrier.ts';
import type { RecordCarrier } from '../telemetry/record-carrier.ts';
import { addFactoryAccount, loadAccounts, saveAccounts } from './accounts.ts';
import { CardTiming } from './card-timing.ts';
import type { Connectivity } from './connectivity.ts';
import { DeviceCard } from './device-card.ts';
import { DeviceFirmware } from './device-firmware.ts';
import { announceReading, createDeviceTree, createSensorTrees } from './device-objects.ts';
import { DeviceOutbox } from './device-outbox.ts';
import type { DeviceOwner } from './device-owner.ts';
import { takeOwnAccounts } from './own-accounts.ts';
import { createFirmwareSource } from './firmware-source.ts';
import { ReadingSchedule, type DeviceLife, type ReadingSupply } from './reading-schedule.ts';
import type { Reading } from './reading-source.ts';
import { SupplyContract, type TakenRecords } from './supply-contract.ts';

/** What the devices of a fleet share. */
export interface DeviceServices {
  readonly runtime: Runtime;
  readonly store: FleetStore;
  readonly journal: GroupCommit;
  readonly transport: Lwm2mTransport;
  readonly clientSettings: Lwm2mClientSettings;
  readonly clientEvents: Lwm2mClientEvents;
  readonly connectivity: Connectivity;
  /** How long cards take; undefined: they answer at once. */
  readonly cardTiming: TimingProfile | undefined;
  /** Stakeholders that get no readings, by kind. */
  withoutReadings(kind: DeviceKind): readonly string[];
  /** How records of a device travel. */
  carrierFor(device: VirtualDevice): RecordCarrier;
  /**
   * The time in which a device lives: its clock, and when it reads. Conversations have real time. Undefined:
   * both are one.
   */
  lifeOf?(endpoint: string): DeviceLife;
  /** Hands a script of its owners to the card; what happens on the way there. Undefined: nothing does. */
  exchange?(device: VirtualDevice, commands: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /** Counts what went wrong and was not fatal. */
  count(name: string): void;
}

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 10_000;
const REBOOT_DELAY_MS = 200;
const EMPTY = new Uint8Array(0);

/**
 * One simulated device: its card, its LwM2M client, its readings and what has not been acknowledged of them.
 */
export class VirtualDevice implements DeviceOwner, JournaledDevice {
  readonly id: number;
  readonly endpoint: string;
  readonly kind: DeviceKind;
  readonly card: DeviceCard;
  readonly client: Lwm2mClient;
  readonly deviceKeyId: number;
  readonly certificateChain: readonly Uint8Array[];
  readonly supply: SupplyContract;
  readonly firmware: DeviceFirmware;
  readonly #services: DeviceServices;
  readonly #factoryAccounts: Uint8Array;
  readonly #readings: ReadingSupply;
  readonly #life: DeviceLife;
  readonly #schedule: ReadingSchedule;
  readonly #outbox: DeviceOutbox;
  readonly #carrier: RecordCarrier;
  readonly #tree: ObjectTree<DeviceOwner>;
  readonly #sensors: ReadonlyMap<string, ObjectTree<DeviceOwner>>;
  #accounts: string;
  #sealed: number;
  #acknowledged: number;
  #latest: Reading | undefined;
  #newestRecord: Uint8Array = EMPTY;
  #delivering = false;
  #failures = 0;
  #lastHeardMs = 0;

  constructor(stored: StoredDevice, readings: ReadingSupply, intervalMs: number, services: DeviceServices) {
    this.id = stored.id;
    this.endpoint = stored.endpoint;
    this.kind = stored.kind;
    this.deviceKeyId = stored.deviceKeyId;
    this.certificateChain = stored.certificateChain;
    const { cardTiming } = services;
    this.#services = services;
    this.#life = services.lifeOf?.(stored.endpoint) ?? services.runtime;
    this.#factoryAccounts = stored.factoryAccounts;
    this.#readings = readings;
    this.#schedule = new ReadingSchedule(this.#life, readings, intervalMs, () => this.#read());
    this.#accounts = stored.accounts;
    this.#sealed = stored.sealed;
    this.#acknowledged = stored.acknowledged;
    this.card = new DeviceCard({
      image: stored.cardImage,
      endpoint: stored.endpoint,
      rng: services.runtime.rng,
      withoutReadings: services.withoutReadings(stored.kind),
      changed: () => services.journal.deviceChanged(this),
      timing: cardTiming && new CardTiming(cardTiming, services.runtime),
    });
    this.supply = this.#createSupply();
    this.#tree = createDeviceTree(this);
    if (stored.accounts === '') addFactoryAccount(this.#tree, stored);
    else loadAccounts(this.#tree, stored.accounts);
    this.firmware = this.#createFirmware();
    this.firmware.restore();
    this.client = createLwm2mClient({
      endpointName: stored.endpoint,
      tree: this.#tree,
      runtime: services.runtime,
      transport: services.transport,
      settings: services.clientSettings,
      events: services.clientEvents,
    });
    this.#sensors = createSensorTrees(this);
    for (const [prefix, sensor] of this.#sensors) {
      this.client.attachEndDevice(`${stored.endpoint}:${prefix}`, prefix, sensor);
    }
    this.#outbox = new DeviceOutbox(this, services.store, services.journal, () => this.#deliver());
    this.#carrier = services.carrierFor(this);
    if (stored.supply !== '') this.supply.restore(stored.supply);
  }

  get serialNumber(): string {
    return this.endpoint.slice(this.endpoint.lastIndexOf(':') + 1);
  }

  /** True once a bootstrap server has configured it. */
  get bootstrapped(): boolean {
    return this.#accounts !== '';
  }

  get sealed(): number {
    return this.#sealed;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Bootstraps, if it has to, and registers. Resolves with the first registration. */
  async start(): Promise<void> {
    if (!this.bootstrapped) await this.#takeOwnAccounts();
    return this.client.start();
  }

  /** To be called when the bootstrap server has finished. */
  bootstrapFinished(): void {
    this.#accounts = saveAccounts(this.#tree);
    this.#services.journal.deviceChanged(this);
  }

  /** To be called whenever the management server has answered. */
  heard(): void {
    this.#lastHeardMs = this.#services.runtime.clock.monotonicMs();
  }

  /** Asks the management server for a sign of life when it has given none since `sinceMs` (monotonic). */
  keepAlive(sinceMs: number): void {
    if (this.client.state !== 'registered' || this.#lastHeardMs >= sinceMs) return;
    this.heard();
    this.client.update();
  }

  /** To be called at every registration: what waits is sent. */
  registered(): void {
    this.heard();
    this.#carrier.start(() => this.#deliver());
    this.#deliver();
  }

  /** Begins to take readings, the first within one interval. */
  startReadings(): void {
    this.#schedule.start();
  }

  stopReadings(): void {
    this.#schedule.stop();
    this.supply.stop();
  }

  /** De-registers and switches off. */
  async stop(): Promise<void> {
    this.stopReadings();
    this.firmware.powerOff();
    this.card.endWatches();
    await Promise.all([this.client.stop(), this.#carrier.stop()]);
  }

  /** Loses power, without a word to anybody. */
  async powerOff(): Promise<void> {
    this.stopReadings();
    this.firmware.powerOff();
    this.card.endWatches();
    await Promise.all([this.client.powerOff(), this.#carrier.stop()]);
  }

  // What the objects ask.
  nowMs(): number {
    return this.#life.clock.wallMs();
  }

  measured(metric: string): number | undefined {
    return this.#latest?.measurements.find((measurement) => measurement.metric === metric)?.value;
  }

  newestRecord(): Uint8Array | undefined {
    return this.#newestRecord;
  }

  async runApduScript(script: Uint8Array): Promise<Uint8Array> {
    const commands = decodeApduScript(script);
    // The card runs them at once; only what it answers waits.
    const answering = this.#services.exchange?.(this, commands) ?? this.card.exchange(commands);
    // The owner may act on the answer at once: what it confirms has to outlast this process.
    const [answers] = await Promise.all([answering, this.#services.journal.soon()]);
    return this.card.whenDone(encodeApduScript(answers));
  }

  whenCardIsDone<T>(value: T): T | Promise<T> {
    return this.card.whenDone(value);
  }

  /** Puts the card back from an image of it, on disk too. @throws SefleetError `SIM_CARD_IMAGE_REFUSED` */
  replaceCard(image: Uint8Array): void {
    this.card.replace(image);
    this.#services.journal.flush();
  }

  reboot(): void {
    this.#services.count('device.reboots');
    this.#services.runtime.timers.after(REBOOT_DELAY_MS, () => {
      void this.client
        .powerOff()
        .then(() => this.client.start())
        .catch((error: unknown) => this.#services.count(`device.${nameOf(error)}`));
    });
  }

  // What the journal asks.
  state(): DeviceState {
    return {
      cardImage: this.card.image(),
      readings: this.#readings.snapshot(),
      accounts: this.#accounts,
      supply: this.supply.snapshot(),
      sealed: this.#sealed,
      acknowledged: this.#acknowledged,
    };
  }

  /** Core §6.1.4: what card or factory do not give, the bootstrap server does. */
  async #takeOwnAccounts(): Promise<void> {
    const { connectivity, clientEvents } = this.#services;
    const { bootstrap } = connectivity;
    if (bootstrap === 'network') return;
    try {
      const { card } = this;
      await takeOwnAccounts(this.#tree, { bootstrap, card, factoryAccounts: this.#factoryAccounts });
      clientEvents.bootstrapped?.(this.endpoint, 0);
    } catch (error) {
      this.#services.count(`bootstrap.${nameOf(error)}`);
    }
  }

  #createSupply(): SupplyContract {
    const { journal } = this.#services;
    return new SupplyContract({
      timers: this.#life.timers,
      nowMs: () => this.nowMs(),
      read: (instantMs) => {
        this.#schedule.catchUp(instantMs);
        return this.#note(this.#readings.at(instantMs));
      },
      take: (order, reading) => {
        const records = this.#takeInstant(order, reading);
        for (const record of [records.closing, records.opening])
          if (record !== undefined) this.#queue(record);
        return records;
      },
      refused: (cause) => this.#services.count(`cutover.${nameOf(cause)}`),
      persist: () => {
        journal.deviceChanged(this);
        journal.flush();
      },
    });
  }

  #takeInstant(order: Uint8Array, { timestampMs, measurements }: Reading): TakenRecords {
    const asked = decodeDeviceOrder(order);
    if (asked.kind === 'hand-over') return this.card.handOver(order, timestampMs, measurements);
    const { application } = asked;
    const record = this.card.sealBy(application, timestampMs, measurements);
    return asked.kind === 'begin' ? { application, opening: record } : { application, closing: record };
  }

  #createFirmware(): DeviceFirmware {
    const { store, transport, runtime } = this.#services;
    return new DeviceFirmware({
      kind: this.kind,
      tree: this.#tree,
      timers: runtime.timers,
      verify: (message, signature) => this.card.isFirmwareSigned(message, signature),
      download: (uri, signal) => createFirmwareSource(this.endpoint, this.#tree, transport)(uri, signal),
      load: () => store.firmware(this.id),
      save: (firmware) => store.putFirmware(this.id, firmware),
      reboot: () => this.reboot(),
    });
  }

  #read(): void {
    // An instant that has passed comes before the reading; one of this very moment is this reading.
    this.supply.takeDue(this.#readings.dueAtMs ?? this.nowMs());
    const reading = this.#note(this.#readings.next(this.nowMs()));
    try {
      const { timestampMs, measurements } = reading;
      const records = this.card.seal(timestampMs, measurements, this.supply.withoutAt(timestampMs));
      if (records.length === 0) this.#services.journal.deviceChanged(this);
      for (const record of records) this.#queue(record);
    } catch (error) {
      this.#services.count(`seal.${nameOf(error)}`);
      return;
    }
    if (this.client.observationCount > 0) announceReading(this.#tree, this.#sensors);
  }

  #note(reading: Reading): Reading {
    this.#latest = reading;
    return reading;
  }

  #queue(sealed: Uint8Array): void {
    this.#newestRecord = sealed;
    this.#sealed++;
    this.#outbox.add({ position: this.#sealed, sealed }, this.card.whenDone(undefined));
  }

  #deliver(): void {
    if (this.#delivering || !this.#carrier.ready) return;
    const oldest = this.#outbox.oldest(this.#carrier.maxRecords, this.#carrier.maxBytes);
    const batch = oldest.slice(0, this.#carrier.together(oldest.map(({ sealed }) => sealed)));
    if (batch.length === 0) return;
    this.#delivering = true;
    this.#carrier.deliver(batch.map(({ sealed }) => sealed)).then(
      () => {
        this.#delivering = false;
        this.#failures = 0;
        this.#acknowledged += batch.length;
        if (this.#carrier instanceof Lwm2mCarrier) this.heard();
        this.#outbox.remove(batch);
        this.#deliver();
      },
      (error: unknown) => {
        this.#services.count(`deliver.${nameOf(error)}`);
        const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
        const delayMs = ceilingMs * (0.5 + this.#services.runtime.rng.fraction() / 2);
        this.#services.runtime.timers.after(delayMs, () => {
          this.#delivering = false;
          this.#deliver();
        });
      },
    );
  }
}

function nameOf(error: unknown): string {
  return isSefleetError(error) ? error.code : 'unexpected';
}
