import { common } from '@sefleet/api';
import { SefleetError } from '@sefleet/errors';
import { connectBackend, type Backend } from '../backend.ts';
import type { Verb, VerbArguments } from '../command-line.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { FLEET_OPTIONS, readFleetOptions, startRequest } from '../fleet/fleet-options.ts';
import { plannedKinds, totalDevices } from '../fleet/planned-kinds.ts';
import { readLayout } from '../supervisor/layout.ts';
import { formatTable } from '../terminal/table.ts';

/** Kinds as reports call them. */
export const KIND_NAMES: Readonly<Record<common.DeviceKind, string>> = {
  [common.DeviceKind.UNSPECIFIED]: 'unknown',
  [common.DeviceKind.SMART_METER]: 'smart-meter',
  [common.DeviceKind.OBU]: 'obu',
  [common.DeviceKind.RPM_GATEWAY]: 'rpm-gateway',
};

export const fleetStart: Verb = {
  name: 'fleet start',
  summary: 'switch a fleet on in the running system',
  options: {
    ...FLEET_OPTIONS,
    rate: {
      type: 'string',
      value: 'n',
      default: '0',
      doc: 'devices switched on per second; 0 is as fast as possible',
    },
    json: { type: 'boolean', doc: 'as JSON' },
  },
  examples: [
    'sefleet fleet start --meters 600 --obus 200 --gateways 200',
    'sefleet fleet start --transport coaps+tcp',
    'sefleet fleet start --credential rpk --bootstrap smartcard --queue-mode --interval 300000',
  ],
  run: (parsed) => {
    const fleet = readFleetOptions(parsed);
    const startRate = parsed.integer('rate', 0, 100_000);
    return withBackend(async (backend) => {
      const request = { ...startRequest(plannedKinds(fleet), fleet), startRate };
      await backend.simulation.startFleet(request, { deadlineMs: START_LIMIT_MS });
      const devices = totalDevices(fleet);
      if (parsed.flag('json')) console.log(JSON.stringify({ started: true, devices }));
      else console.log(`fleet of ${devices} started; \`sefleet fleet show\` tells how far it is`);
    });
  },
};

export const fleetShow: Verb = {
  name: 'fleet show',
  summary: 'the state of the running fleet',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: ['sefleet fleet show', 'sefleet fleet show --json'],
  run: (parsed) => withBackend((backend) => show(backend, parsed)),
};

export const fleetStop: Verb = {
  name: 'fleet stop',
  summary: 'de-register the fleet and switch it off',
  options: { json: { type: 'boolean', doc: 'what it had done, as JSON' } },
  examples: ['sefleet fleet stop'],
  run: (parsed) =>
    withBackend(async (backend) => {
      const { progress } = await backend.simulation.stopFleet({}, { deadlineMs: STOP_LIMIT_MS });
      const records = {
        sealed: Number(progress?.recordsSealed ?? 0n),
        acknowledged: Number(progress?.recordsAcknowledged ?? 0n),
      };
      if (parsed.flag('json')) console.log(JSON.stringify({ stopped: true, records }));
      else
        console.log(`fleet stopped: ${records.sealed} records sealed, ${records.acknowledged} acknowledged`);
    }),
};

async function show(backend: Backend, parsed: VerbArguments): Promise<void> {
  const [{ state }, { progress }] = await Promise.all([
    backend.fleet.getFleetState({}),
    backend.simulation.getFleet({}),
  ]);
  const troubles = (progress?.errors ?? []).map(({ name, value }) => [name, Number(value)] as const);
  if (parsed.flag('json')) {
    const shown = { ...state, running: progress?.running === true, errors: Object.fromEntries(troubles) };
    console.log(
      JSON.stringify(shown, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value), 2),
    );
    return;
  }
  if (progress?.running !== true) console.log('no fleet is switched on; `sefleet fleet start` does that');
  const rows = (state?.kinds ?? []).map(
    (kind) =>
      [
        KIND_NAMES[kind.kind],
        Number(kind.total),
        Number(kind.bootstrapped),
        Number(kind.registered),
        Number(kind.keysRotated),
      ] as const,
  );
  console.log(formatTable(['kind', 'total', 'bootstrapped', 'registered', 'keys rotated'], rows));
  const telemetry = state?.telemetry;
  console.log(
    `telemetry: ${telemetry?.stored ?? 0} stored, ${telemetry?.rowsPerSecond.toFixed(0) ?? 0} rows/s`,
  );
  if (troubles.length > 0) console.log(`\n${formatTable(['what went wrong', 'times'], troubles)}`);
  for (const service of state?.unavailable ?? []) console.log(`unavailable: ${service}`);
}

/** Until the first cards are made. */
const START_LIMIT_MS = 60_000;
/** Every device says good-bye; a large fleet takes a while. */
const STOP_LIMIT_MS = 300_000;
const CONNECT_LIMIT_MS = 3000;

async function untilAnswering(backend: Backend): Promise<void> {
  try {
    await Promise.all([
      backend.simulation.connected(CONNECT_LIMIT_MS),
      backend.fleet.connected(CONNECT_LIMIT_MS),
    ]);
  } catch (cause) {
    throw new SefleetError('CLI_SYSTEM_UNREACHABLE', 'environment', 'no running system answers', {
      cause,
      hint: 'Start it (sefleet up), and give this command the same SEFLEET_DATA and port settings.',
    });
  }
}

/** Runs `job` against the system that the environment describes. */
export async function withBackend(job: (backend: Backend) => Promise<void>): Promise<ExitCode> {
  const backend = connectBackend(readLayout(process.env));
  try {
    await untilAnswering(backend);
    await job(backend);
    return EXIT_CODES.passed;
  } finally {
    backend.close();
  }
}
