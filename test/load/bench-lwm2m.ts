/**
 * An LwM2M server and a fleet in two processes, DTLS-PSK on loopback: bootstrap and registration of all,
 * lifetime updates, notifications, memory, and the storm when the server was killed. Then, where Leshan is on
 * the machine, the same load on our library's server and on Leshan's.
 * `node test/load/bench-lwm2m.ts [--json] [--devices 10000] [--seconds 5] [--concurrency 256] [--ffi]
 * [--beside-devices 2000] [--beside-only]`
 */
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { compareWithLeshan } from './lwm2m/beside-leshan.ts';
import { LoadBackend } from './lwm2m/backend.ts';
import { LoadFleet } from './lwm2m/fleet.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    devices: { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '5' },
    concurrency: { type: 'string', default: '256' },
    ffi: { type: 'boolean', default: false },
    'beside-devices': { type: 'string', default: '2000' },
    'beside-only': { type: 'boolean', default: false },
  },
});

interface Row {
  readonly name: string;
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: number;
  readonly better: 'higher' | 'lower';
  readonly holds?: boolean;
}

/** A run of our service: its process, its fleet, and what the devices were told. */
interface ServiceRun {
  readonly backend: LoadBackend;
  readonly fleet: LoadFleet;
  readonly told: { updated: number; registered: number };
  readonly rssBefore: { readonly server: number; readonly own: number };
}

const DEVICES = Number(values.devices);
const SECONDS = Number(values.seconds);
const CONCURRENCY = Number(values.concurrency);
const results: Row[] = [];

const skipped: { readonly subject: string; readonly reason: string }[] = [];
if (!values['beside-only']) await measureService();
await compareLibraries();
print();
process.exit(0);

/** Our service with its fleet. */
async function measureService(): Promise<void> {
  const backend = await LoadBackend.start(
    values.ffi ? { SEFLEET_LWM2M_FFI_SOCKETS: 'on', NODE_OPTIONS: '--no-warnings' } : {},
  );
  const told = { updated: 0, registered: 0 };
  const rssBefore = { server: backend.serverRss(), own: process.memoryUsage.rss() };
  const fleet = new LoadFleet(DEVICES, backend.bootstrapPort, {
    registered: () => void told.registered++,
    updated: () => void told.updated++,
  });
  const run = { backend, fleet, told, rssBefore };
  await bootstrapAndRegister(run);
  await idleMemory(run);
  await lifetimeUpdates(run);
  await notifications(run);
  await storm(run);
  await fleet.stop();
  await backend.stop();
}

/** The same load on our library and on Leshan's, in this run; where it is not here, that is said. */
async function compareLibraries(): Promise<void> {
  const missing = await compareWithLeshan({
    devices: Number(values['beside-devices']),
    seconds: SECONDS,
    row: (row) => {
      results.push(row);
      const { name, subject, value, unit } = row;
      tell(`${name.padEnd(32)} ${String(value).padStart(10)} ${unit.padEnd(16)} ${subject}`);
    },
    note: tell,
  });
  if (missing === undefined) return;
  skipped.push({ subject: 'leshan', reason: missing });
  tell(`leshan: skipped, ${missing}`);
}

async function bootstrapAndRegister({ backend, fleet }: ServiceRun): Promise<void> {
  const startedMs = performance.now();
  await fleet.start(CONCURRENCY);
  const seconds = (performance.now() - startedMs) / 1000;
  const registered = (await backend.counters()).get('registered') ?? 0;
  note(
    'lwm2m-bootstrap-register-10k',
    seconds * (10_000 / DEVICES),
    's',
    60,
    'lower',
    registered === DEVICES,
  );
  note('lwm2m-server-cpu-register', (backend.serverCpuSeconds() * 1000) / DEVICES, 'ms/device');
}

async function idleMemory({ backend, rssBefore }: ServiceRun): Promise<void> {
  await pause(2000);
  note(
    'lwm2m-server-rss',
    (backend.serverRss() - rssBefore.server) / 1024 / DEVICES,
    'KB/device',
    30,
    'lower',
  );
  const own = process.memoryUsage.rss() - rssBefore.own;
  note('lwm2m-simulator-rss', own / 1024 / DEVICES, 'KB/device', 60, 'lower');
}

/** Every device sends its next Update when a window of them has room, for a while. */
async function lifetimeUpdates({ backend, fleet, told }: ServiceRun): Promise<void> {
  const before = told.updated;
  const startedMs = performance.now();
  const cpuBefore = backend.serverCpuSeconds();
  let next = 0;
  while (performance.now() - startedMs < SECONDS * 1000) {
    while (next - (told.updated - before) < CONCURRENCY * 2) {
      fleet.devices[next % DEVICES]?.client.update();
      next++;
    }
    await pause(1);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const done = told.updated - before;
  note('lwm2m-update', done / seconds, 'updates/s', 5000, 'higher');
  note('lwm2m-server-cpu-update', ((backend.serverCpuSeconds() - cpuBefore) * 1e6) / done, 'us/update');
}

async function notifications({ backend, fleet }: ServiceRun): Promise<void> {
  const observed = fleet.devices.slice(0, 2000);
  for (let i = 0; i < observed.length; i += 64) {
    const batch = observed.slice(i, i + 64);
    await Promise.all(
      batch.map(({ endpoint }) => backend.client.observe({ endpoint, path: '/3303/0/5700' })),
    );
  }
  const before = (await backend.counters()).get('notifications') ?? 0;
  const cpuBefore = backend.serverCpuSeconds();
  const startedMs = performance.now();
  const sent = await notifyFor(observed, SECONDS * 1000);
  const seconds = (performance.now() - startedMs) / 1000;
  await pause(500);
  const received = ((await backend.counters()).get('notifications') ?? 0) - before;
  note('lwm2m-notify', received / seconds, 'notifications/s', 10_000, 'higher');
  note('lwm2m-notify-lost', Math.max(0, sent - received), 'notifications', undefined, 'lower');
  note(
    'lwm2m-server-cpu-notify',
    ((backend.serverCpuSeconds() - cpuBefore) * 1e6) / received,
    'us/notification',
  );
}

/** Values change as fast as this process can send; what the sockets drop on the way is seen as lost. */
async function notifyFor(devices: LoadFleet['devices'], durationMs: number): Promise<number> {
  const startedMs = performance.now();
  let sent = 0;
  while (performance.now() - startedMs < durationMs) {
    for (let i = 0; i < 100; i++) {
      const device = devices[sent % devices.length];
      device?.tree.instance(3303, 0)?.set(5700, 20 + (Math.floor(sent / devices.length) % 1000) / 10 + 0.1);
      sent++;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

/**
 * The server is killed and comes back; every device notices by itself, makes a new session and is known
 * again.
 */
async function storm({ backend, fleet }: ServiceRun): Promise<void> {
  await backend.killServer();
  await backend.startServer();
  const startedMs = performance.now();
  for (const { client } of fleet.devices) client.update();
  let handshakes = 0;
  while (performance.now() - startedMs < 180_000) {
    await pause(500);
    const counters = await backend.counters();
    handshakes = counters.get('dtls.handshakes') ?? 0;
    const known = (counters.get('registration.updated') ?? 0) + (counters.get('registration.accepted') ?? 0);
    if (handshakes >= DEVICES && known >= DEVICES) break;
  }
  const seconds = (performance.now() - startedMs) / 1000;
  const registered = (await backend.counters()).get('registered') ?? 0;
  note('lwm2m-storm-10k', seconds, 's', 60, 'lower', registered === DEVICES);
  note('lwm2m-storm-lost', DEVICES - registered, 'devices', 0, 'lower');
}

function note(
  name: string,
  value: number,
  unit: string,
  goal?: number,
  better: 'higher' | 'lower' = 'lower',
  complete = true,
): void {
  const rounded = Math.round(value * 100) / 100;
  const row = { name, subject: 'sefleet', value: rounded, unit, better };
  if (goal === undefined) results.push(row);
  else {
    const holds = complete && (better === 'higher' ? rounded >= goal : rounded <= goal);
    results.push({ ...row, goal, holds });
  }
  tell(`${name.padEnd(32)} ${String(rounded).padStart(10)} ${unit}`);
}

function tell(line: string): void {
  if (!values.json) console.log(line);
}

function print(): void {
  if (!values.json) return;
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const { version: node } = process;
  console.log(
    JSON.stringify({
      benchmark: 'lwm2m',
      commit,
      node,
      cpus: cpus().length,
      devices: DEVICES,
      results,
      skipped,
    }),
  );
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
