import type { EventDefinition } from '@sefleet/observability';

/** Every event of this service: log line, counter and what tests wait for. */
export const EVENTS = {
  storeReady: { name: 'store.ready', level: 'info', message: 'ClickHouse is open' },
  storeFailed: { name: 'store.failed', level: 'error', message: 'ClickHouse cannot be opened; trying again' },
  insertFailed: {
    name: 'ingest.insertFailed',
    level: 'error',
    message: 'an insert failed; nothing was acknowledged',
  },
  keysUnavailable: {
    name: 'ingest.keysUnavailable',
    level: 'warn',
    message: 'record keys cannot be fetched',
  },
  brokerListening: { name: 'mqtt.listening', level: 'info', message: 'the MQTT broker listens' },
  brokerError: { name: 'mqtt.error', level: 'error', message: 'the MQTT broker reported an error' },
  brokerConnected: { name: 'mqtt.connected', level: 'info', message: 'connected to the MQTT broker' },
  brokerLost: { name: 'mqtt.lost', level: 'warn', message: 'lost the MQTT broker' },
  clientRefused: { name: 'mqtt.refused', level: 'debug', message: 'an MQTT client was refused' },
  publishForbidden: {
    name: 'mqtt.forbidden',
    level: 'warn',
    message: 'an MQTT client went beyond its topics',
  },
  consoleListening: { name: 'console.listening', level: 'info', message: 'the web console listens' },
  dependencyFailed: {
    name: 'fleet.dependencyFailed',
    level: 'debug',
    message: 'a service could not be asked',
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;
