import {
  booleanSetting,
  choiceSetting,
  integerSetting,
  portSetting,
  textSetting,
  type SettingDefinition,
} from '@sefleet/config';
import { parseTimingCosts, TIMING_COSTS_FORM, type TimingCosts } from '@sefleet/secure-element';

/** Without a profile nothing takes time, whatever it costs. */
const timingCostsSetting: SettingDefinition<TimingCosts> = {
  env: 'SEFLEET_SE_TIMING_COSTS',
  doc: `costs in place of those of SEFLEET_SE_TIMING: ${TIMING_COSTS_FORM}`,
  unit: 'ms',
  default: {},
  parse: (text) => {
    const value = parseTimingCosts(text);
    return value === undefined ? { expected: TIMING_COSTS_FORM } : { value };
  },
};

/** What the device simulator can be told, beside what every service can. */
export const DEVICE_SIM_SETTINGS = {
  provisioningTarget: textSetting({
    env: 'SEFLEET_PROVISIONING_TARGET',
    doc: 'gRPC address of provisioning, which makes the cards',
    default: '127.0.0.1:50051',
  }),
  mqttUrl: textSetting({
    env: 'SEFLEET_MQTT_URL',
    doc: 'MQTT broker that vehicles report to',
    default: 'mqtts://127.0.0.1:8883',
    pattern: /^mqtts:\/\/.+/,
    expected: 'an mqtts URI: devices prove who they are by certificate',
  }),
  startConcurrency: integerSetting({
    env: 'SEFLEET_START_CONCURRENCY',
    doc: 'devices that bootstrap and register at once',
    unit: 'devices',
    min: 1,
    max: 4096,
    default: 32,
  }),
  handshakeConcurrency: integerSetting({
    env: 'SEFLEET_HANDSHAKE_CONCURRENCY',
    doc: 'DTLS handshakes under way at once, also when a whole fleet comes back',
    unit: 'handshakes',
    min: 1,
    max: 4096,
    default: 32,
  }),
  cipherSuite: choiceSetting({
    env: 'SEFLEET_DEVICE_CIPHER_SUITE',
    doc: 'what devices offer; ECDHE adds forward secrecy and costs each side two multiplications on P-256',
    choices: ['TLS_PSK_WITH_AES_128_CCM_8', 'TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256'],
    default: 'TLS_PSK_WITH_AES_128_CCM_8',
  }),
  rehearsal: booleanSetting({
    env: 'SEFLEET_REHEARSAL',
    doc: 'lets the command keep the time of the meters and play faults on them; a folder for it alone',
    default: false,
  }),
  commitWindowMs: integerSetting({
    env: 'SEFLEET_COMMIT_WINDOW_MS',
    doc: 'how long changes of devices are gathered and then written together; readings go out after that',
    unit: 'ms',
    min: 1,
    max: 5000,
    default: 50,
  }),
  keepAliveMs: integerSetting({
    env: 'SEFLEET_KEEPALIVE_MS',
    doc: 'silence of its server after which a device sends an Update, to notice that it is gone',
    unit: 'ms',
    min: 1000,
    max: 86_400_000,
    default: 30_000,
  }),
  awakeTimeMs: integerSetting({
    env: 'SEFLEET_LWM2M_AWAKE_MS',
    doc: 'how long a queue-mode device listens after its last message; the LwM2M server reads the same setting',
    unit: 'ms',
    min: 100,
    max: 600_000,
    default: 93_000,
  }),
  seTiming: choiceSetting({
    env: 'SEFLEET_SE_TIMING',
    doc: 'how long cards take for everything that they are asked: nothing, or as a chip would',
    choices: ['off', 'java-card-2015'],
    default: 'off',
  }),
  seTimingCosts: timingCostsSetting,
  racsAddress: textSetting({
    env: 'SEFLEET_RACS_ADDRESS',
    doc: 'where the RACS server of the secure elements listens',
    default: '127.0.0.1',
  }),
  racsPort: portSetting({ env: 'SEFLEET_RACS_PORT', doc: 'TCP port of the RACS server', default: 7777 }),
  racsTables: textSetting({
    env: 'SEFLEET_RACS_TABLES',
    doc: 'JSON file of RACS users, applications, filters; empty: our services every card, a device its own',
    default: '',
  }),
  racsSilenceSeconds: integerSetting({
    env: 'SEFLEET_RACS_SILENCE_SECONDS',
    doc: 'a RACS client that sends no line for so long loses its session, and with it its cards',
    unit: 'seconds',
    default: 300,
    min: 1,
    max: 86_400,
  }),
  sessionCertificateMinutes: integerSetting({
    env: 'SEFLEET_SESSION_CERTIFICATE_MINUTES',
    doc: 'validity of the certificates that devices make for their TLS sessions (MQTT, coaps+tcp)',
    unit: 'min',
    min: 5,
    max: 10_080,
    default: 720,
  }),
} as const;
