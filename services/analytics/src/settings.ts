import { booleanSetting, integerSetting, portSetting, textSetting } from '@sefleet/config';

/** What analytics can be told, beside what every service can. */
export const ANALYTICS_SETTINGS = {
  mqttUrl: textSetting({
    env: 'SEFLEET_MQTT_URL',
    doc: 'an MQTT 5 broker to use in place of the embedded one, for example mqtts://broker.example:8883',
    default: '',
    pattern: /^$|^mqtts?:\/\//,
    expected: 'a URL that begins with mqtts:// or mqtt://',
  }),
  mqttAddress: textSetting({
    env: 'SEFLEET_MQTT_ADDRESS',
    doc: 'where the embedded broker listens',
    default: '127.0.0.1',
  }),
  mqttPort: portSetting({
    env: 'SEFLEET_MQTT_PORT',
    doc: 'where the embedded broker listens for MQTT over TLS',
    default: 8883,
  }),
  mqttMaxClients: integerSetting({
    env: 'SEFLEET_MQTT_MAX_CLIENTS',
    doc: 'clients of the embedded broker at once; more are refused',
    unit: 'clients',
    min: 1,
    max: 1_000_000,
    default: 20_000,
  }),
  mqttMaxPacketBytes: integerSetting({
    env: 'SEFLEET_MQTT_MAX_PACKET_BYTES',
    doc: 'largest packet that the embedded broker takes; a client that sends more is cut off',
    unit: 'bytes',
    min: 1024,
    max: 16_777_216,
    default: 270_336,
  }),
  queueMaxBytes: integerSetting({
    env: 'SEFLEET_QUEUE_MAX_BYTES',
    doc: 'messages kept on disk until ClickHouse has them; beyond it publishers have to wait',
    unit: 'bytes',
    min: 1_048_576,
    max: 1_099_511_627_776,
    default: 2_147_483_648,
  }),
  clickhouseUrl: textSetting({
    env: 'SEFLEET_CLICKHOUSE_URL',
    doc: 'a ClickHouse server in place of the embedded engine, like https://user:password@host:8443',
    default: '',
    pattern: /^$|^https?:\/\//,
    expected: 'a URL that begins with https:// or http://',
    secret: true,
  }),
  clickhouseDatabase: textSetting({
    env: 'SEFLEET_CLICKHOUSE_DATABASE',
    doc: 'database that holds the tables',
    default: 'sefleet',
    pattern: /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
    expected: 'letters, digits and underscores',
  }),
  ingestBatchRecords: integerSetting({
    env: 'SEFLEET_INGEST_BATCH_RECORDS',
    doc: 'records in one insert at most',
    unit: 'records',
    min: 1,
    max: 100_000,
    default: 10_000,
  }),
  ingestLingerMs: integerSetting({
    env: 'SEFLEET_INGEST_LINGER_MS',
    doc: 'how long an insert waits for more records; every insert is a part that ClickHouse has to merge',
    unit: 'ms',
    min: 0,
    max: 60_000,
    default: 250,
  }),
  provisioningTarget: textSetting({
    env: 'SEFLEET_PROVISIONING_TARGET',
    doc: 'gRPC target of provisioning, for record keys and rotations; empty: there is none',
    default: '',
  }),
  lwm2mTarget: textSetting({
    env: 'SEFLEET_LWM2M_TARGET',
    doc: 'gRPC target of the LwM2M server; empty: there is none',
    default: '',
  }),
  simulationTarget: textSetting({
    env: 'SEFLEET_SIMULATION_TARGET',
    doc: 'gRPC target of device-sim; empty: there is none',
    default: '',
  }),
  fleetReaders: textSetting({
    env: 'SEFLEET_FLEET_READERS',
    doc: 'names of certificates, blanks between them, that may read fleets and telemetry beside our services',
    default: '',
  }),
  consoleEnabled: booleanSetting({ env: 'SEFLEET_CONSOLE', doc: 'serves the web console', default: true }),
  consolePort: portSetting({
    env: 'SEFLEET_CONSOLE_PORT',
    doc: 'where the web console listens, on loopback; 0 takes a free port',
    default: 8080,
  }),
} as const;
