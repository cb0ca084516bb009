export { createEventLog, formatPrometheus } from './event-log.ts';
export type { EventDefinition, EventLevel, EventLog, EventLogOptions } from './event-log.ts';
