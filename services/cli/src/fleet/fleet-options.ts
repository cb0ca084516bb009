import { common, type simulation } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { usageError, type OptionDefinition, type VerbArguments } from '../command-line.ts';
import { totalDevices, type DeviceCounts, type PlannedKind } from './planned-kinds.ts';

const { Transport, CredentialType, BootstrapMode } = common;

/** Values of an option by what is typed. */
type Choices = ReadonlyMap<string, number>;

const TRANSPORTS: Choices = new Map([
  ['coaps', Transport.COAPS],
  ['coaps+tcp', Transport.COAPS_TCP],
  ['coap', Transport.COAP],
  ['coap+tcp', Transport.COAP_TCP],
]);
const CREDENTIALS: Choices = new Map([
  ['psk', CredentialType.PSK],
  ['rpk', CredentialType.RAW_PUBLIC_KEY],
  ['x509', CredentialType.CERTIFICATE],
  ['none', CredentialType.NONE],
]);
const BOOTSTRAPS: Choices = new Map([
  ['network', BootstrapMode.NETWORK],
  ['smartcard', BootstrapMode.SMARTCARD],
  ['factory', BootstrapMode.FACTORY],
]);

/** Devices of a kind at most. */
const MAX_DEVICES_A_KIND = 100_000;
const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 86_400_000;

/** Options of every verb that switches a fleet on. */
export const FLEET_OPTIONS: Readonly<Record<string, OptionDefinition>> = {
  meters: { type: 'string', value: 'n', default: '120', doc: 'smart meters' },
  obus: { type: 'string', value: 'n', default: '40', doc: 'vehicle on-board units' },
  gateways: { type: 'string', value: 'n', default: '40', doc: 'patient-monitoring gateways' },
  seed: { type: 'string', value: 'n', default: '1', doc: 'makes the behaviour repeatable' },
  interval: {
    type: 'string',
    value: 'ms',
    default: '0',
    doc: 'between two readings of a device; 0 takes what its kind has: 5000, vehicles 2000',
  },
  transport: {
    type: 'string',
    value: 'way',
    default: 'coaps',
    doc: `how devices reach the management server: ${[...TRANSPORTS.keys()].join(' | ')}`,
  },
  credential: {
    type: 'string',
    value: 'type',
    doc: 'what they prove themselves with: psk | rpk | x509 over coaps (default psk), x509 over coaps+tcp, none over the others; keys stay in the card',
  },
  bootstrap: {
    type: 'string',
    value: 'mode',
    default: 'network',
    doc: `where new devices find their server: ${[...BOOTSTRAPS.keys()].join(' | ')}`,
  },
  'queue-mode': {
    type: 'boolean',
    doc: 'devices listen only for a while after each message: SEFLEET_LWM2M_AWAKE_MS, 93000',
  },
};

/** A fleet as it was asked for on the command line. */
export interface AskedFleet extends DeviceCounts {
  readonly seed: number;
  readonly intervalMs: number;
  readonly connectivity: MessageInitShape<typeof common.ConnectivitySchema>;
}

/** @throws SefleetError `CLI_USAGE` */
export function readFleetOptions(parsed: VerbArguments): AskedFleet {
  const fleet = {
    meters: parsed.integer('meters', 0, MAX_DEVICES_A_KIND),
    obus: parsed.integer('obus', 0, MAX_DEVICES_A_KIND),
    gateways: parsed.integer('gateways', 0, MAX_DEVICES_A_KIND),
    seed: parsed.integer('seed', 0, 0xffff_ffff),
    intervalMs: parsed.integer('interval', 0, MAX_INTERVAL_MS),
    connectivity: {
      transport: choice(parsed, 'transport', TRANSPORTS),
      credential: choice(parsed, 'credential', CREDENTIALS),
      bootstrap: choice(parsed, 'bootstrap', BOOTSTRAPS),
      queueMode: parsed.flag('queue-mode'),
    },
  };
  if (totalDevices(fleet) === 0)
    throw usageError('a fleet of no devices', 'Give --meters, --obus or --gateways.');
  if (fleet.intervalMs !== 0 && fleet.intervalMs < MIN_INTERVAL_MS)
    throw usageError(
      `--interval ${fleet.intervalMs} is too short`,
      `Devices read at most every ${MIN_INTERVAL_MS} ms; 0 takes what each kind has.`,
    );
  return fleet;
}

/** The request that starts a fleet. */
export function startRequest(
  kinds: readonly PlannedKind[],
  { seed, intervalMs, connectivity }: Pick<AskedFleet, 'seed' | 'intervalMs' | 'connectivity'>,
): MessageInitShape<typeof simulation.StartFleetRequestSchema> {
  return {
    kinds: kinds.map(({ kind, count }) => ({ kind, count, readingIntervalMs: intervalMs })),
    seed: BigInt(seed),
    connectivity,
  };
}

/** True when the servers have to take devices without security. */
export function isPlain({ connectivity }: Pick<AskedFleet, 'connectivity'>): boolean {
  return connectivity.transport === Transport.COAP || connectivity.transport === Transport.COAP_TCP;
}

function choice(parsed: VerbArguments, name: string, choices: Choices): number {
  const typed = parsed.text(name);
  if (typed === undefined) return 0;
  const value = choices.get(typed);
  if (value !== undefined) return value;
  throw usageError(`--${name} ${typed} is not known`, `Use one of ${[...choices.keys()].join(', ')}.`);
}
