import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SefleetError } from '@sefleet/errors';
import { ensureLocalPki } from '@sefleet/service';
import { freeTcpPort, freeUdpPort } from '../supervisor/layout.ts';
import { logFileOf } from './service-logs.ts';

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

interface Launch {
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
}

const SERVICES_FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const ENTRY = {
  provisioning: 'provisioning/src/main.ts',
  ground: 'provisioning/src/rehearsal-ground/main.ts',
  lwm2mServer: 'lwm2m-server/src/main.ts',
  deviceSim: 'device-sim/src/main.ts',
} as const;
const STOP_GRACE_MS = 5000;
const PKI_NAMES = ['provisioning', 'rehearsal-ground', 'lwm2m-server', 'device-sim', 'cli'];
/** A meter that does not answer for so long is away: the switch has other meters to see to. */
const OPERATION_TIMEOUT_MS = '6000';
const KEEPALIVE_MS = '5000';

/** The PKI folder of a rehearsal. */
export function rehearsalPki({ dataFolder }: Pick<RehearsalSetup, 'dataFolder'>): string {
  return join(dataFolder, 'pki');
}

/** The services of a rehearsal as processes of their own. */
export class RehearsalServices {
  readonly layout: RehearsalLayout;
  readonly #launches: ReadonlyMap<RehearsalProcess, Launch>;
  readonly #children = new Map<RehearsalProcess, ChildProcess>();

  private constructor(layout: RehearsalLayout, launches: ReadonlyMap<RehearsalProcess, Launch>) {
    this.layout = layout;
    this.#launches = launches;
  }

  /** Starts them all on free ports; resolves when they are ready. */
  static async start(setup: RehearsalSetup): Promise<RehearsalServices> {
    mkdirSync(setup.dataFolder, { recursive: true });
    await ensureLocalPki(rehearsalPki(setup), [...PKI_NAMES, ...setup.suppliers]);
    const { layout, launches } = setup.ground === 'live' ? await planLive(setup) : await planLight(setup);
    const services = new RehearsalServices(layout, launches);
    try {
      await Promise.all([...launches.keys()].map((name) => services.#launch(name)));
    } catch (error) {
      await services.stop();
      throw error;
    }
    return services;
  }

  /** The processes that run, by name. */
  get processes(): readonly { readonly name: string; readonly pid: number }[] {
    return [...this.#children].flatMap(([name, { pid }]) => (pid === undefined ? [] : [{ name, pid }]));
  }

  /** The processes that keep what they need to go on after a kill. */
  get killable(): readonly RehearsalProcess[] {
    return killableOn(this.layout.ground, this.layout.suppliers);
  }

  /** Kills a process without a word, as a crash would, and starts it again on what it left. */
  async kill(name: RehearsalProcess): Promise<void> {
    const child = this.#children.get(name);
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await this.#launch(name);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children.values()].map(stopChild));
  }

  async #launch(name: RehearsalProcess): Promise<void> {
    const { dataFolder } = this.layout;
    const launch = this.#launches.get(name);
    if (launch === undefined) return;
    const child = fork(join(SERVICES_FOLDER, launch.entry), {
      env: {
        ...process.env,
        // A rehearsal keeps everything in its own folder, whatever the machine's services use.
        DATABASE_URL: '',
        SEFLEET_DATA: dataFolder,
        SEFLEET_PKI: rehearsalPki(this.layout),
        SEFLEET_REHEARSAL: 'true',
        SEFLEET_LOG_LEVEL: 'info',
        ...launch.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#children.set(name, child);
    const logFile = logFileOf(dataFolder, name);
    const log = createWriteStream(logFile, { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    const ended = once(child, 'exit').then(() => 'ended' as const);
    if ((await Promise.race([once(child, 'message'), ended])) !== 'ended') return;
    throw new SefleetError('REHEARSAL_START_FAILED', 'environment', `${name} ended before it was ready`, {
      hint: `Its last words are in ${logFile}.`,
    });
  }
}

/** As {@link RehearsalServices.killable}, before they are started. */
export function killableOn(ground: GroundKind, suppliers: readonly string[]): readonly RehearsalProcess[] {
  // Virtual meters keep nothing: without them there is no rehearsal.
  if (ground === 'light') return ['provisioning'];
  const servers = suppliers.map((supplier): RehearsalProcess => `supplier:${supplier}`);
  return ['provisioning', 'lwm2m-server', 'device-sim', ...servers];
}

interface Plan {
  readonly layout: RehearsalLayout;
  readonly launches: ReadonlyMap<RehearsalProcess, Launch>;
}

async function planLight(setup: RehearsalSetup): Promise<Plan> {
  const [provisioningPort, groundPort] = await Promise.all([freeTcpPort(), freeTcpPort()]);
  const targets = {
    SEFLEET_PROVISIONING_TARGET: target(provisioningPort),
    SEFLEET_LWM2M_TARGET: target(groundPort),
  };
  const launch = (entry: string, port: number): Launch => {
    return { entry, environment: { ...targets, SEFLEET_GRPC_PORT: String(port) } };
  };
  const launches = new Map<RehearsalProcess, Launch>([
    ['provisioning', launch(ENTRY.provisioning, provisioningPort)],
    ['rehearsal-ground', launch(ENTRY.ground, groundPort)],
  ]);
  return {
    layout: { ...setup, provisioningPort, groundPort, headPort: undefined, supplierPorts: new Map() },
    launches,
  };
}

/** Where an LwM2M server listens: for devices, for devices that bootstrap, and for callers. */
interface ServerPorts {
  readonly lwm2m: number;
  readonly bootstrap: number;
  readonly grpc: number;
}

async function serverPorts(): Promise<ServerPorts> {
  const [lwm2m, bootstrap, grpc] = await Promise.all([freeUdpPort(), freeUdpPort(), freeTcpPort()]);
  return { lwm2m, bootstrap, grpc };
}

async function planLive(setup: RehearsalSetup): Promise<Plan> {
  const [provisioningPort, groundPort, racsPort] = await Promise.all(
    Array.from({ length: 3 }, () => freeTcpPort()),
  );
  if (provisioningPort === undefined || groundPort === undefined) throw new RangeError('no free port');
  const head = await serverPorts();
  const suppliers = new Map<string, ServerPorts>();
  for (const supplier of setup.suppliers) suppliers.set(supplier, await serverPorts());
  const targets = {
    SEFLEET_PROVISIONING_TARGET: target(provisioningPort),
    SEFLEET_LWM2M_TARGET: target(head.grpc),
    SEFLEET_LWM2M_URI: coaps(head.lwm2m),
    SEFLEET_BOOTSTRAP_URI: coaps(head.bootstrap),
    SEFLEET_STAKEHOLDER_SERVERS: [...suppliers]
      .map(([supplier, { lwm2m, grpc }]) => `${supplier}=${coaps(lwm2m)}@${target(grpc)}`)
      .join(' '),
  };
  const launch = (entry: string, grpcPort: number, more: Record<string, string> = {}): Launch => {
    return { entry, environment: { ...targets, SEFLEET_GRPC_PORT: String(grpcPort), ...more } };
  };
  const lwm2m = (ports: ServerPorts, more: Record<string, string> = {}): Launch =>
    launch(ENTRY.lwm2mServer, ports.grpc, {
      SEFLEET_LWM2M_PORT: String(ports.lwm2m),
      SEFLEET_BOOTSTRAP_PORT: String(ports.bootstrap),
      SEFLEET_LWM2M_URI: coaps(ports.lwm2m),
      SEFLEET_LWM2M_RECORDS: 'inbox',
      SEFLEET_LWM2M_OPERATION_TIMEOUT_MS: OPERATION_TIMEOUT_MS,
      ...more,
    });
  const launches = new Map<RehearsalProcess, Launch>([
    ['provisioning', launch(ENTRY.provisioning, provisioningPort)],
    ['lwm2m-server', lwm2m(head)],
    [
      'device-sim',
      launch(ENTRY.deviceSim, groundPort, {
        SEFLEET_RACS_PORT: String(racsPort),
        SEFLEET_KEEPALIVE_MS: KEEPALIVE_MS,
      }),
    ],
  ]);
  for (const [supplier, ports] of suppliers) {
    const folder = join(setup.dataFolder, 'suppliers', supplier);
    launches.set(
      `supplier:${supplier}`,
      lwm2m(ports, { SEFLEET_CERTIFICATE: supplier, SEFLEET_DATA: folder }),
    );
  }
  const supplierPorts = new Map([...suppliers].map(([supplier, { grpc }]) => [supplier, grpc]));
  return { layout: { ...setup, provisioningPort, groundPort, headPort: head.grpc, supplierPorts }, launches };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await ended;
  clearTimeout(force);
}

function target(port: number): string {
  return `127.0.0.1:${port}`;
}

function coaps(port: number): string {
  return `coaps://127.0.0.1:${port}`;
}
