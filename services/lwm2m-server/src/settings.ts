import { booleanSetting, choiceSetting, integerSetting, portSetting, textSetting } from '@sefleet/config';

/** What the LwM2M server can be told, beside what every service can. */
export const LWM2M_SERVER_SETTINGS = {
  address: textSetting({
    env: 'SEFLEET_LWM2M_ADDRESS',
    doc: 'IP address where devices reach the LwM2M and the bootstrap server',
    default: '127.0.0.1',
  }),
  lwm2mPort: portSetting({
    env: 'SEFLEET_LWM2M_PORT',
    doc: 'UDP port of the management server (coaps)',
    default: 5684,
  }),
  bootstrapPort: portSetting({
    env: 'SEFLEET_BOOTSTRAP_PORT',
    doc: 'UDP port of the bootstrap server (coaps)',
    default: 5784,
  }),
  provisioningTarget: textSetting({
    env: 'SEFLEET_PROVISIONING_TARGET',
    doc: 'gRPC address of provisioning, the source of PSKs and bootstrap configurations',
    default: '127.0.0.1:50051',
  }),
  mqttUrl: textSetting({
    env: 'SEFLEET_MQTT_URL',
    doc: 'MQTT broker that records are published to, over mutual TLS',
    default: 'mqtts://127.0.0.1:8883',
    pattern: /^mqtts?:\/\/.+/,
    expected: 'an mqtts or mqtt URL',
  }),
  records: choiceSetting({
    env: 'SEFLEET_LWM2M_RECORDS',
    doc: 'where sealed records go: to the MQTT broker, or into a file that the owner reads over gRPC',
    choices: ['broker', 'inbox'],
    default: 'broker',
  }),
  tcp: booleanSetting({
    env: 'SEFLEET_LWM2M_TCP',
    doc: 'whether the management server also listens for coaps+tcp, on the TCP port of the same number',
    default: false,
  }),
  publicUri: textSetting({
    env: 'SEFLEET_LWM2M_URI',
    doc: 'where devices reach the management server, for firmware that they fetch',
    default: 'coaps://127.0.0.1:5684',
    pattern: /^coaps?:\/\/.+/,
    expected: 'a coaps URI',
  }),
  shards: textSetting({
    env: 'SEFLEET_LWM2M_SHARDS',
    doc: 'URIs of management servers, blank between them; devices are spread over them',
    default: '',
    pattern: /^(coaps?:\/\/\S+(\s+|$))*$/,
    expected: 'coaps URIs with blanks between them',
  }),
  templateFile: textSetting({
    env: 'SEFLEET_BOOTSTRAP_TEMPLATES',
    doc: 'JSON file with what a bootstrap writes beside the accounts, by kind and name of devices',
    default: '',
  }),
  accessFile: textSetting({
    env: 'SEFLEET_LWM2M_ACCESS',
    doc: "JSON file with what callers' certificates allow; empty: our services everything, others nothing",
    default: '',
  }),
  modelFolder: textSetting({
    env: 'SEFLEET_LWM2M_MODELS',
    doc: 'folder with object definitions (DDF XML) beside those of the OMA registry',
    default: '',
  }),
  databaseUrl: textSetting({
    env: 'DATABASE_URL',
    doc: 'PostgreSQL database for registrations and campaigns; empty: a SQLite file',
    default: '',
    secret: true,
  }),
  databaseSchema: textSetting({
    env: 'SEFLEET_LWM2M_SCHEMA',
    doc: 'PostgreSQL schema of this server; shards have one each',
    default: 'lwm2m_server',
    pattern: /^[a-z_][a-z0-9_]{0,62}$/,
    expected: 'a lower-case identifier',
  }),
  maxPublishing: integerSetting({
    env: 'SEFLEET_LWM2M_MAX_PUBLISHING',
    doc: 'Sends that wait for the broker at once; further ones are answered 5.03',
    unit: 'sends',
    min: 1,
    max: 60_000,
    default: 4096,
  }),
  awakeTimeMs: integerSetting({
    env: 'SEFLEET_LWM2M_AWAKE_MS',
    doc: 'how long a queue-mode device listens after its last message (LwM2M Core §6.5)',
    unit: 'ms',
    min: 100,
    max: 600_000,
    default: 93_000,
  }),
  operationTimeoutMs: integerSetting({
    env: 'SEFLEET_LWM2M_OPERATION_TIMEOUT_MS',
    doc: 'how long an operation on a device may take',
    unit: 'ms',
    min: 100,
    max: 600_000,
    default: 60_000,
  }),
  keyExchange: choiceSetting({
    env: 'SEFLEET_LWM2M_KEY_EXCHANGE',
    doc: 'taken when a device offers both: plain PSK, the cheapest, or ECDHE with PSK, for forward secrecy',
    choices: ['psk', 'ecdhe-psk'],
    default: 'psk',
  }),
  socketBufferBytes: integerSetting({
    env: 'SEFLEET_LWM2M_SOCKET_BUFFER',
    doc: 'receive and send buffer of each UDP socket; the system may grant less',
    unit: 'bytes',
    min: 65_536,
    max: 268_435_456,
    default: 8_388_608,
  }),
} as const;
