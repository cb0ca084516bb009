import { pino, type DestinationStream, type Logger } from 'pino';

/** How loud an event is: two questions decide, who must read it and how much breaks if nobody does. */
export type EventLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** An event, defined once: its log line, its counter and what tests wait for all come from here. */
export interface EventDefinition {
  /** Stable, dotted: `registration.accepted`. */
  readonly name: string;
  readonly level: EventLevel;
  /** The sentence of the log line. */
  readonly message: string;
}

/** Writes events as JSON lines and counts them. */
export interface EventLog {
  /** Logs and counts. `facts` hold identifiers and numbers, never keys or payloads. */
  emit(event: EventDefinition, facts?: Readonly<Record<string, unknown>>): void;
  /** Counts without a line: for what happens per datagram. */
  count(name: string, by?: number): void;
  counters(): ReadonlyMap<string, number>;
  /** The same log with facts that every line carries; counters are shared. */
  child(facts: Readonly<Record<string, unknown>>): EventLog;
}

/** Where events go. */
export interface EventLogOptions {
  readonly service: string;
  readonly level?: EventLevel | 'silent';
  /** Standard output when absent. */
  readonly destination?: DestinationStream;
}

/** Paths that never reach a line, should somebody log an object that holds them. */
const REDACTED = ['psk', 'key', 'secret', 'privateKey', 'payload', 'masterKey', 'token', 'password'];

/** An {@link EventLog} over pino. */
export function createEventLog(options: EventLogOptions): EventLog {
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: REDACTED.flatMap((name) => [name, `*.${name}`]), censor: '***' },
      serializers: { error: pino.stdSerializers.errWithCause },
    },
    options.destination ?? pino.destination({ dest: 1, sync: false }),
  );
  return wrap(logger, new Map());
}

function wrap(logger: Logger, counters: Map<string, number>): EventLog {
  const count = (name: string, by = 1): void => {
    counters.set(name, (counters.get(name) ?? 0) + by);
  };
  return {
    emit: (event, facts) => {
      count(event.name);
      logger[event.level]({ event: event.name, ...facts }, event.message);
    },
    count,
    counters: () => counters,
    child: (facts) => wrap(logger.child(facts), counters),
  };
}

/** Counters in the Prometheus text format: `sefleet_registration_accepted_total{service="..."} 3`. */
export function formatPrometheus(service: string, counters: ReadonlyMap<string, number>): string {
  const lines: string[] = [];
  for (const [name, value] of [...counters].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const metric = `sefleet_${name
      .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
      .replaceAll(/[^A-Za-z0-9]+/g, '_')
      .toLowerCase()}_total`;
    lines.push(`# TYPE ${metric} counter`, `${metric}{service="${service}"} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}
