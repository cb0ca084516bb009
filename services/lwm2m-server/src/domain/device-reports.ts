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
import type { ServerStore } from '../store/server-store.ts';
import type { DeviceEventType, EventJournal } from './event-journal.ts';
import type { RecordForwarder } from './record-forwarder.ts';

/** What {@link DeviceReports} works with. */
export interface DeviceReportParts {
  readonly log: EventLog;
  readonly journal: EventJournal;
  readonly forwarder: RecordForwarder;
  readonly store: Pick<ServerStore, 'saveBootstrap'>;
  readonly clock: Clock;
}

const NO_ENTRIES: readonly Lwm2mEntry[] = [];

/** Everything that devices report: records go to the broker, the rest into the journal, all of it is counted. */
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
    if (verdict.kind === 'accepted') this.#note('send', registration.endpoint, '', entries);
    return verdict;
  }

  notification(registration: Registration, paths: readonly string[], entries: readonly Lwm2mEntry[]): void {
    this.#note('notification', registration.endpoint, paths.join(' '), entries);
    // A notification was acknowledged before it came here, so what the broker does not take is lost, and counted.
    void this.#parts.forwarder.forward(registration, entries);
  }

  #createServerEvents(): Lwm2mServerEvents {
    const { log } = this.#parts;
    return {
      registered: ({ endpoint, kind }) => {
        log.emit(EVENTS.registered, { endpoint, kind });
        this.#note('registered', endpoint);
      },
      updated: ({ endpoint }) => {
        log.count('registration.updated');
        this.#note('updated', endpoint);
      },
      deregistered: ({ endpoint }) => {
        log.emit(EVENTS.deregistered, { endpoint });
        this.#note('deregistered', endpoint);
      },
      expired: ({ endpoint }) => {
        log.emit(EVENTS.expired, { endpoint });
        this.#note('expired', endpoint);
      },
      sleeping: ({ endpoint }) => {
        log.count('device.sleeping');
        this.#note('sleeping', endpoint);
      },
      awake: () => log.count('device.awake'),
      refused: ({ address }, reason, endpoint) => log.emit(EVENTS.refused, { address, reason, endpoint }),
    };
  }

  #createBootstrapEvents(): BootstrapServerEvents {
    const { log, store, clock } = this.#parts;
    return {
      finished: ({ endpoint, kind = '' }, durationMs) => {
        log.emit(EVENTS.bootstrapped, { endpoint, kind, durationMs: Math.round(durationMs) });
        store.saveBootstrap(endpoint, kind, clock.wallMs());
        this.#note('bootstrapped', endpoint);
      },
      failed: ({ endpoint }, error) => log.emit(EVENTS.bootstrapFailed, { endpoint, error }),
      refused: ({ address }, reason, endpoint) =>
        log.emit(EVENTS.bootstrapRefused, { address, reason, endpoint }),
    };
  }

  #note(type: DeviceEventType, endpoint: string, path = '', entries = NO_ENTRIES): void {
    this.#parts.journal.append({ type, endpoint, path, entries, atMs: this.#parts.clock.wallMs() });
  }
}
