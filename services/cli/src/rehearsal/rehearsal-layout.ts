import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../supervisor/free-ports.ts';
import { logFileOf } from './service-logs.ts';
import type { Launch } from './service-process.ts';

/**
 * On what a rehearsal stands: the real services with a fleet of LwM2M devices, or virtual meters that answer
 * for themselves.
 */
export type GroundKind = 'live' | 'light';

/** What a rehearsal is put up with. */
export interface RehearsalSetup {
  readonly dataFolder: string;
  readonly ground: GroundKind;
  /** Who takes part as a supplier; on the live ground each has an LwM2M server of its own. */
  readonly suppliers: readonly string[];
}

/** Where the services of a rehearsal listen and keep what they keep. */
export interface RehearsalLayout extends RehearsalSetup {
  readonly provisioningPort: number;
  /** Of the service that has the meters. */
  readonly groundPort: number;
  /** gRPC port of the network provider's LwM2M server; undefined on the light ground. */
  readonly headPort: number | undefined;
  /** gRPC ports of the suppliers' own LwM2M servers; empty on the light ground. */
  readonly supplierPorts: ReadonlyMap<string, number>;
}

/** A process of a rehearsal: a service by its name, or the LwM2M server of a supplier. */
export type RehearsalProcess =
  | 'provisioning'
  | 'rehearsal-ground'
  | 'lwm2m-server'
  | 'device-sim'
  | `supplier:${string}`;

/** A layout, and how what belongs to it is started. */
export interface PlannedRehearsal {
  readonly layout: RehearsalLayout;
  readonly launches: ReadonlyMap<RehearsalProcess, Launch>;
}

const SERVICES_FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const ENTRY = {
  provisioning: 'provisioning/src/main.ts',
  ground: 'provisioning/src/rehearsal-ground/main.ts',
  lwm2mServer: 'lwm2m-server/src/main.ts',
  deviceSim: 'device-sim/src/main.ts',
} as const;
/** A meter that does not answer for so long is away: the switch has other meters to see to. */
const OPERATION_TIMEOUT_MS = '6000';
const KEEPALIVE_MS = '5000';

/** The PKI folder of a rehearsal. */
export function rehearsalPki({ dataFolder }: Pick<RehearsalSetup, 'dataFolder'>): string {
  return join(dataFolder, 'pki');
}

/** The processes of a ground; each keeps what it needs to go on after a kill. */
export function processesOn(ground: GroundKind, suppliers: readonly string[]): readonly RehearsalProcess[] {
  if (ground === 'light') return ['provisioning', 'rehearsal-ground'];
  const servers = suppliers.map((supplier): RehearsalProcess => `supplier:${supplier}`);
  return ['provisioning', 'lwm2m-server', 'device-sim', ...servers];
}

/** Lays a rehearsal out on free ports. */
export function planRehearsal(setup: RehearsalSetup): Promise<PlannedRehearsal> {
  return setup.ground === 'live' ? planLive(setup) : planLight(setup);
}

async function planLight(setup: RehearsalSetup): Promise<PlannedRehearsal> {
  const [provisioningPort, groundPort] = await Promise.all([freePort('tcp'), freePort('tcp')]);
  const launch = launcher(setup, {
    SEFLEET_PROVISIONING_TARGET: target(provisioningPort),
    SEFLEET_LWM2M_TARGET: target(groundPort),
  });
  const launches = new Map<RehearsalProcess, Launch>([
    launch('provisioning', ENTRY.provisioning, provisioningPort),
    launch('rehearsal-ground', ENTRY.ground, groundPort),
  ]);
  const ports = { provisioningPort, groundPort, headPort: undefined, supplierPorts: new Map() };
  return { layout: { ...setup, ...ports }, launches };
}

/** Where an LwM2M server listens: for devices, for devices that bootstrap, and for callers. */
interface ServerPorts {
  readonly lwm2m: number;
  readonly bootstrap: number;
  readonly grpc: number;
}

async function serverPorts(): Promise<ServerPorts> {
  const [lwm2m, bootstrap, grpc] = await Promise.all([
    freePort('device'),
    freePort('device'),
    freePort('tcp'),
  ]);
  return { lwm2m, bootstrap, grpc };
}

async function planLive(setup: RehearsalSetup): Promise<PlannedRehearsal> {
  const [provisioningPort, groundPort, racsPort] = await Promise.all([
    freePort('tcp'),
    freePort('tcp'),
    freePort('tcp'),
  ]);
  const head = await serverPorts();
  const suppliers = new Map<string, ServerPorts>();
  for (const supplier of setup.suppliers) suppliers.set(supplier, await serverPorts());
  const launch = launcher(setup, {
    SEFLEET_PROVISIONING_TARGET: target(provisioningPort),
    SEFLEET_LWM2M_TARGET: target(head.grpc),
    SEFLEET_LWM2M_URI: coaps(head.lwm2m),
    SEFLEET_BOOTSTRAP_URI: coaps(head.bootstrap),
    SEFLEET_STAKEHOLDER_SERVERS: [...suppliers]
      .map(([supplier, { lwm2m, grpc }]) => `${supplier}=${coaps(lwm2m)}@${target(grpc)}`)
      .join(' '),
  });
  const server = (name: RehearsalProcess, ports: ServerPorts, more: Record<string, string> = {}) =>
    launch(name, ENTRY.lwm2mServer, ports.grpc, {
      SEFLEET_LWM2M_PORT: String(ports.lwm2m),
      SEFLEET_BOOTSTRAP_PORT: String(ports.bootstrap),
      SEFLEET_LWM2M_URI: coaps(ports.lwm2m),
      SEFLEET_LWM2M_RECORDS: 'inbox',
      SEFLEET_LWM2M_OPERATION_TIMEOUT_MS: OPERATION_TIMEOUT_MS,
      ...more,
    });
  const launches = new Map<RehearsalProcess, Launch>([
    launch('provisioning', ENTRY.provisioning, provisioningPort),
    server('lwm2m-server', head),
    launch('device-sim', ENTRY.deviceSim, groundPort, {
      SEFLEET_RACS_PORT: String(racsPort),
      SEFLEET_KEEPALIVE_MS: KEEPALIVE_MS,
    }),
    ...[...suppliers].map(([supplier, ports]) => {
      const SEFLEET_DATA = join(setup.dataFolder, 'suppliers', supplier);
      return server(`supplier:${supplier}`, ports, { SEFLEET_CERTIFICATE: supplier, SEFLEET_DATA });
    }),
  ]);
  const supplierPorts = new Map([...suppliers].map(([supplier, { grpc }]) => [supplier, grpc]));
  const ports = { provisioningPort, groundPort, headPort: head.grpc, supplierPorts };
  return { layout: { ...setup, ...ports }, launches };
}

/** How the services of one rehearsal are started: in its folder, with what all of them are told. */
function launcher(setup: RehearsalSetup, shared: Readonly<Record<string, string>>) {
  return (
    name: RehearsalProcess,
    entry: string,
    grpcPort: number,
    more: Readonly<Record<string, string>> = {},
  ): readonly [RehearsalProcess, Launch] => {
    const environment = {
      ...definedIn(process.env),
      // A rehearsal keeps everything in its own folder, whatever the machine's services use.
      DATABASE_URL: '',
      SEFLEET_DATA: setup.dataFolder,
      SEFLEET_PKI: rehearsalPki(setup),
      SEFLEET_REHEARSAL: 'true',
      SEFLEET_LOG_LEVEL: 'info',
      ...shared,
      SEFLEET_GRPC_PORT: String(grpcPort),
      ...more,
    };
    const logFile = logFileOf(setup.dataFolder, name);
    return [name, { name, entry: join(SERVICES_FOLDER, entry), environment, logFile }];
  };
}

function definedIn(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function target(port: number): string {
  return `127.0.0.1:${port}`;
}

function coaps(port: number): string {
  return `coaps://127.0.0.1:${port}`;
}
