import { booleanSetting, choiceSetting, integerSetting, textSetting } from '@sefleet/config';

/** What the provisioning service can be told, beside what every service can. */
export const PROVISIONING_SETTINGS = {
  custody: choiceSetting({
    env: 'SEFLEET_CUSTODY',
    doc: "where the parties' keys are: in files sealed by the vault key, or in PKCS#11 tokens that never let them out",
    choices: ['software', 'pkcs11'],
    default: 'software',
  }),
  pkcs11Module: textSetting({
    env: 'SEFLEET_PKCS11_MODULE',
    doc: 'PKCS#11 library, for example /usr/lib/softhsm/libsofthsm2.so',
    default: '',
  }),
  pkcs11PinFile: textSetting({
    env: 'SEFLEET_PKCS11_PINS',
    doc: "file with the PIN of each party's token, one a line; pkcs11.pins in the data folder when empty",
    default: '',
  }),
  keyDays: integerSetting({
    env: 'SEFLEET_KEY_DAYS',
    doc: 'how long keys live before they are renewed; 0 for ever',
    unit: 'days',
    min: 0,
    max: 7300,
    default: 397,
  }),
  vaultKey: textSetting({
    env: 'SEFLEET_VAULT_KEY',
    doc: 'key that seals the vaults, 32 bytes in hexadecimal or base64; a key file in the data folder when empty',
    default: '',
    secret: true,
  }),
  firmwareKeyFile: textSetting({
    env: 'SEFLEET_FIRMWARE_KEY',
    doc: 'PEM file with the key that cards check firmware by; firmware.key in the data folder when empty',
    default: '',
  }),
  pkiFolder: textSetting({
    env: 'SEFLEET_PKI',
    doc: 'folder with the local authority that signs device certificates',
    default: './.sefleet/pki',
  }),
  lwm2mBootstrapUri: textSetting({
    env: 'SEFLEET_BOOTSTRAP_URI',
    doc: 'LwM2M bootstrap server that devices are shipped with',
    default: 'coaps://127.0.0.1:5784',
    pattern: /^coaps?(\+tcp)?:\/\/.+/,
    expected: 'a coap or coaps URI',
  }),
  lwm2mUri: textSetting({
    env: 'SEFLEET_LWM2M_URI',
    doc: 'LwM2M management server that the bootstrap server writes to devices',
    default: 'coaps://127.0.0.1:5684',
    pattern: /^coaps?(\+tcp)?:\/\/.+/,
    expected: 'a coap or coaps URI',
  }),
  lwm2mPlainUri: textSetting({
    env: 'SEFLEET_LWM2M_PLAIN_URI',
    doc: 'where devices reach the management server without security; empty: no fleet may do so',
    default: '',
    pattern: /^(coap:\/\/.+)?$/,
    expected: 'a coap URI or nothing',
  }),
  serverCertificateFile: textSetting({
    env: 'SEFLEET_LWM2M_SERVER_CERTIFICATE',
    doc: "PEM file of the management server's certificate, for devices that are told its key; in the PKI when empty",
    default: '',
  }),
  managementTarget: textSetting({
    env: 'SEFLEET_LWM2M_TARGET',
    doc: "gRPC address of the LwM2M server's northbound interface, the way to the devices' cards",
    default: '127.0.0.1:50052',
  }),
  lifetimeSeconds: integerSetting({
    env: 'SEFLEET_LWM2M_LIFETIME',
    doc: 'registration lifetime that devices are given',
    unit: 's',
    min: 20,
    max: 31_536_000,
    default: 86_400,
  }),
  certificateDays: integerSetting({
    env: 'SEFLEET_DEVICE_CERTIFICATE_DAYS',
    doc: 'validity of device certificates',
    unit: 'days',
    min: 1,
    max: 7300,
    default: 3650,
  }),
  stakeholderServers: textSetting({
    env: 'SEFLEET_STAKEHOLDER_SERVERS',
    doc: 'LwM2M servers of stakeholders: <party>=<coaps URI>@<gRPC address>, blanks between; others have none',
    default: '',
  }),
  rehearsal: booleanSetting({
    env: 'SEFLEET_REHEARSAL',
    doc: 'lets callers keep the time, play faults and have secrets disclosed; never where devices are real',
    default: false,
  }),
  rotationConcurrency: integerSetting({
    env: 'SEFLEET_ROTATION_CONCURRENCY',
    doc: 'devices whose keys are rotated at once, when the caller does not say',
    unit: 'devices',
    min: 1,
    max: 1024,
    default: 64,
  }),
  cardTimeoutMs: integerSetting({
    env: 'SEFLEET_CARD_TIMEOUT_MS',
    doc: 'how long one exchange with a card may take',
    unit: 'ms',
    min: 100,
    max: 600_000,
    default: 30_000,
  }),
} as const;
