import type { EventLog } from '@sefleet/observability';
import type {
  BootstrapServerEvents,
  Lwm2mServerEvents,
  Refusal,
  Registration,
  ReportConsumer,
  SendVerdict,
} from '@sefleet/lwm2m-coap';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import type { Clock } from '@sefleet/runtime';
import { EVENTS } from '../events.ts';
import type { BootstrapStore } from './bootstrap-store.ts';
import type { DeviceEventType } from './events/device-event.ts';
import type { EventJournal } from './events/event-journal.ts';
import type { QueuedOperation } from './operations/queued-operation.ts';
import type { RecordForwarder } from './record-forwarder.ts';
import { RefusalBound } from './refusal-bound.ts';

/** Told where devices are. */
export interface PresenceListener {
  /** A device can be sent to again. */
  heard(endpoint: string): void;
  /** A device registered (`anew`) or changed its registration. */
  registered(registration: Registration, anew: boolean): void;
  gone(endpoint: string): void;
  /** Kind of a device that is registered; empty for others. */
  kindOf(endpoint: string): string;
  /** The end device that a gateway has below a prefix; undefined when it has none, or was not asked yet. */
  endDevice(gateway: string, prefix: string): Registration | undefined;
}

/** What {@link DeviceReports} works with. */
export interface DeviceReportParts {
  readonly log: EventLog;
  readonly journal: EventJournal;
  readonly forwarder: RecordForwarder;
  readonly store: BootstrapStore;
  readonly clock: Clock;
  readonly listener: PresenceListener;
}

/** A refusal by either of our servers. */
type ReportedRefusal = Omit<Refusal, 'what'> & { readonly what: Refusal['what'] | 'bootstrap' };

const NO_ENTRIES: readonly Lwm2mEntry[] = [];
const REFUSED = {
  registration: EVENTS.refused,
  bootstrap: EVENTS.bootstrapRefused,
  send: EVENTS.sendRefused,
  notification: EVENTS.notificationRefused,
} as const;
/** When a Send may be tried again whose event could not be kept. */
const RETRY_AFTER_SECONDS = 10;
/** A gateway is asked for its end devices when it registers; that takes a round trip. */
const END_DEVICE_UNKNOWN: SendVerdict = { kind: 'busy', retryAfterSeconds: 5 };

/**
 * Everything that devices report: records go to the broker, the rest into the journal, all of it is counted.
 */
export class DeviceReports implements ReportConsumer {
  readonly #parts: DeviceReportParts;
  readonly #refusals: RefusalBound;
  readonly serverEvents: Lwm2mServerEvents;
  readonly bootstrapEvents: BootstrapServerEvents;

  constructor(parts: DeviceReportParts) {
    this.#parts = parts;
    this.#refusals = new RefusalBound(parts.clock);
    this.serverEvents = this.#createServerEvents();
    this.bootstrapEvents = this.#createBootstrapEvents();
  }

  async send(registration: Registration, entries: readonly Lwm2mEntry[]): Promise<SendVerdict> {
    const verdict = await this.#parts.forwarder.forward(registration, entries);
    if (verdict.kind !== 'accepted') return verdict;
    try {
      await this.#note('send', registration, '', entries);
      return verdict;
    } catch {
      return { kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS };
    }
  }

  /** What a gateway sends for a device behind it is that device's; of one that is not known, try again. */
  async endDeviceSend(
    gateway: Registration,
    prefix: string,
    entries: readonly Lwm2mEntry[],
  ): Promise<SendVerdict> {
    const endDevice = this.#parts.listener.endDevice(gateway.endpoint, prefix);
    return endDevice === undefined ? END_DEVICE_UNKNOWN : this.send(endDevice, entries);
  }

  notification(
    registration: Registration,
    paths: readonly string[],
    entries: readonly Lwm2mEntry[],
  ): Promise<void> {
    // What the broker does not take of it is lost, and counted: Send is the safe way for records.
    void this.#parts.forwarder.forward(registration, entries);
    return this.#note('notification', registration, paths.join(' '), entries);
  }

  /** A queued operation is over. */
  operationEnded({ id, endpoint, code }: QueuedOperation, kind: string): void {
    const { journal, clock, log } = this.#parts;
    log.count('operations.ended');
    const atMs = clock.wallMs();
    const operation = { id, code };
    void journal.append({
      type: 'operationEnded',
      endpoint,
      kind,
      path: '',
      entries: NO_ENTRIES,
      atMs,
      operation,
    });
  }

  #createServerEvents(): Lwm2mServerEvents {
    const { log, listener } = this.#parts;
    return {
      registered: (registration) => {
        const { endpoint, kind } = registration;
        log.emit(EVENTS.registered, { endpoint, kind });
        void this.#note('registered', registration);
        listener.registered(registration, true);
        listener.heard(endpoint);
      },
      updated: (registration) => {
        log.count('registration.updated');
        void this.#note('updated', registration);
        listener.registered(registration, false);
        listener.heard(registration.endpoint);
      },
      deregistered: (registration) => {
        log.emit(EVENTS.deregistered, { endpoint: registration.endpoint });
        void this.#note('deregistered', registration);
        listener.gone(registration.endpoint);
      },
      expired: (registration) => {
        log.emit(EVENTS.expired, { endpoint: registration.endpoint });
        void this.#note('expired', registration);
        listener.gone(registration.endpoint);
      },
      connected: (registration) => {
        listener.registered(registration, false);
        listener.heard(registration.endpoint);
      },
      sleeping: (registration) => {
        log.count('device.sleeping');
        void this.#note('sleeping', registration);
      },
      awake: ({ endpoint }) => {
        log.count('device.awake');
        listener.heard(endpoint);
      },
      refused: (refusal) => this.#refused(refusal),
    };
  }

  /** Whoever is refused writes here: what comes too often is counted only. */
  #refused({ what, reason, peer, endpoint }: ReportedRefusal): void {
    const { log, journal, listener, clock } = this.#parts;
    // Not by the name that a peer claims before it is known: it has as many of these as it likes.
    const isClaim = what === 'registration' || what === 'bootstrap';
    const by = isClaim ? peer?.key : (endpoint ?? peer?.key);
    if (!this.#refusals.admits(`${what} ${reason} ${by}`)) {
      log.count(REFUSED[what].name);
      return;
    }
    log.emit(REFUSED[what], { address: peer?.address, reason, endpoint });
    const event = { type: 'refused', path: '', entries: NO_ENTRIES, reason: `${what}.${reason}` } as const;
    const kind = endpoint === undefined ? '' : listener.kindOf(endpoint);
    void journal.append({ ...event, endpoint: endpoint ?? '', kind, atMs: clock.wallMs() });
  }

  #createBootstrapEvents(): BootstrapServerEvents {
    const { log, store, clock } = this.#parts;
    return {
      finished: ({ endpoint, kind = '' }, durationMs) => {
        log.emit(EVENTS.bootstrapped, { endpoint, kind, durationMs: Math.round(durationMs) });
        store.saveBootstrap(endpoint, kind, clock.wallMs());
        void this.#note('bootstrapped', { endpoint, kind });
      },
      failed: ({ endpoint }, error) => log.emit(EVENTS.bootstrapFailed, { endpoint, error }),
      refused: (peer, reason, endpoint) => this.#refused({ what: 'bootstrap', reason, peer, endpoint }),
    };
  }

  #note(
    type: DeviceEventType,
    { endpoint, kind }: { readonly endpoint: string; readonly kind: string },
    path = '',
    entries = NO_ENTRIES,
  ): Promise<void> {
    return this.#parts.journal.append({
      type,
      endpoint,
      kind,
      path,
      entries,
      atMs: this.#parts.clock.wallMs(),
    });
  }
}
