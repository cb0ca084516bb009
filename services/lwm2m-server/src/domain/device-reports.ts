import type { EventLog } from '@sefleet/observability';
import type {
  BootstrapServerEvents,
  Lwm2mServerEvents,
  Registration,
  ReportConsumer,
  SendVerdict,
} from '@sefleet/lwm2m-coap';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import type { Clock } from '@sefleet/runtime';
import { EVENTS } from '../events.ts';
import type { BootstrapStore } from './bootstrap-store.ts';
import type { DeviceEventType, EventJournal } from './event-journal.ts';
import type { QueuedOperation } from './operations/queued-operation.ts';
import type { RecordForwarder } from './record-forwarder.ts';

/** Told where devices are. */
export interface PresenceListener {
  /** A device can be sent to again. */
  heard(endpoint: string): void;
  /** A device registered (`anew`) or changed its registration. */
  registered(registration: Registration, anew: boolean): void;
  gone(endpoint: string): void;
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

const NO_ENTRIES: readonly Lwm2mEntry[] = [];

/**
 * Everything that devices report: records go to the broker, the rest into the journal, all of it is counted.
 */
export class DeviceReports implements ReportConsumer {
  readonly #parts: DeviceReportParts;
  readonly serverEvents: Lwm2mServerEvents;
  readonly bootstrapEvents: BootstrapServerEvents;

  constructor(parts: DeviceReportParts) {
    this.#parts = parts;
    this.serverEvents = this.#createServerEvents();
    this.bootstrapEvents = this.#createBootstrapEvents();
  }

  async send(registration: Registration, entries: readonly Lwm2mEntry[]): Promise<SendVerdict> {
    const verdict = await this.#parts.forwarder.forward(registration, entries);
    if (verdict.kind === 'accepted') this.#note('send', registration, '', entries);
    return verdict;
  }

  notification(registration: Registration, paths: readonly string[], entries: readonly Lwm2mEntry[]): void {
    this.#note('notification', registration, paths.join(' '), entries);
    // A notification was acknowledged before it came here, so what the broker does not take is lost, and
    // counted.
    void this.#parts.forwarder.forward(registration, entries);
  }

  /** A queued operation is over. */
  operationEnded({ id, endpoint, code }: QueuedOperation, kind: string): void {
    const { journal, clock, log } = this.#parts;
    log.count('operations.ended');
    const atMs = clock.wallMs();
    const operation = { id, code };
    journal.append({
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
        this.#note('registered', registration);
        listener.registered(registration, true);
        listener.heard(endpoint);
      },
      updated: (registration) => {
        log.count('registration.updated');
        this.#note('updated', registration);
        listener.registered(registration, false);
        listener.heard(registration.endpoint);
      },
      deregistered: (registration) => {
        log.emit(EVENTS.deregistered, { endpoint: registration.endpoint });
        this.#note('deregistered', registration);
        listener.gone(registration.endpoint);
      },
      expired: (registration) => {
        log.emit(EVENTS.expired, { endpoint: registration.endpoint });
        this.#note('expired', registration);
        listener.gone(registration.endpoint);
      },
      connected: (registration) => {
        listener.registered(registration, false);
        listener.heard(registration.endpoint);
      },
      sleeping: (registration) => {
        log.count('device.sleeping');
        this.#note('sleeping', registration);
      },
      awake: ({ endpoint }) => {
        log.count('device.awake');
        listener.heard(endpoint);
      },
      refused: ({ address }, reason, endpoint) => log.emit(EVENTS.refused, { address, reason, endpoint }),
    };
  }

  #createBootstrapEvents(): BootstrapServerEvents {
    const { log, store, clock } = this.#parts;
    return {
      finished: ({ endpoint, kind = '' }, durationMs) => {
        log.emit(EVENTS.bootstrapped, { endpoint, kind, durationMs: Math.round(durationMs) });
        store.saveBootstrap(endpoint, kind, clock.wallMs());
        this.#note('bootstrapped', { endpoint, kind });
      },
      failed: ({ endpoint }, error) => log.emit(EVENTS.bootstrapFailed, { endpoint, error }),
      refused: ({ address }, reason, endpoint) =>
        log.emit(EVENTS.bootstrapRefused, { address, reason, endpoint }),
    };
  }

  #note(
    type: DeviceEventType,
    { endpoint, kind }: { readonly endpoint: string; readonly kind: string },
    path = '',
    entries = NO_ENTRIES,
  ): void {
    this.#parts.journal.append({ type, endpoint, kind, path, entries, atMs: this.#parts.clock.wallMs() });
  }
}
