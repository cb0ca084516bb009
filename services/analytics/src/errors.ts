import { SefleetError, type Fault, type SefleetErrorOptions } from '@sefleet/errors';

/** Every code that this service throws. `docs/errors.md` is generated from it. */
export const ANALYTICS_ERRORS = {
  ANALYTICS_STORE_UNAVAILABLE: {
    fault: 'environment',
    doc: 'ClickHouse cannot be opened or does not answer.',
  },
  ANALYTICS_SCHEMA_CONFLICT: {
    fault: 'environment',
    doc: 'The database holds a schema that this version did not make.',
  },
  ANALYTICS_PORT_IN_USE: { fault: 'environment', doc: 'A port that the service has to listen on is taken.' },
  ANALYTICS_QUEUE_UNAVAILABLE: {
    fault: 'environment',
    doc: 'The message queue on disk cannot be opened or written.',
  },
  ANALYTICS_BROKER_UNAVAILABLE: {
    fault: 'environment',
    doc: 'The MQTT broker cannot be reached or refused us.',
  },
  ANALYTICS_MQTT_FORBIDDEN: { fault: 'peer', doc: 'An MQTT client asked for a topic that is not its own.' },
  ANALYTICS_MQTT_PROTOCOL: { fault: 'peer', doc: 'An MQTT peer broke the protocol or its limits.' },
  ANALYTICS_KEYS_UNAVAILABLE: {
    fault: 'environment',
    doc: 'The record keys cannot be fetched from provisioning.',
  },
  ANALYTICS_DEPENDENCY_UNAVAILABLE: {
    fault: 'environment',
    doc: 'A service that the answer needs is not configured or does not answer.',
  },
  ANALYTICS_REQUEST_INVALID: { fault: 'caller', doc: 'A field of a request is out of its range.' },
  ANALYTICS_DEVICE_NOT_FOUND: { fault: 'caller', doc: 'No service knows a device of this endpoint name.' },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** A code of {@link ANALYTICS_ERRORS}. */
export type AnalyticsErrorCode = keyof typeof ANALYTICS_ERRORS;

/** The error of `code`, with the fault that the catalogue gives it. */
export function analyticsError(
  code: AnalyticsErrorCode,
  message: string,
  options?: SefleetErrorOptions,
): SefleetError {
  return new SefleetError(code, ANALYTICS_ERRORS[code].fault, message, options);
}
