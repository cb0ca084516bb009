/**
 * The same devices and the same load on our management server and on Leshan's, one after the other, each a
 * process of its own with nothing but the library in it; DTLS-PSK on loopback. Without Java and Maven only
 * ours.
 * `SEFLEET_LESHAN=1 node test/load/bench-lwm2m-leshan.ts [--json] [--devices 2000] [--seconds 5]`
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { buildLeshan, javaCommand } from '../interop/leshan/java-peer.ts';
import { DirectFleet, KEY } from './lwm2m/direct-fleet.ts';
import { ServerProgram } from './lwm2m/server-program.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    devices: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '5' },
  },
});
const DEVICES = Number(values.devices);
const SECONDS = Number(values.seconds);
/** Updates under way at a time. */
const WINDOW = 512;

interface Row {
  readonly name: string;
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
}
const results: Row[] = [];

const bare = new URL('serve-lwm2m.ts', import.meta.url).pathname;
await measure('sefleet', (port) => [process.execPath, bare, String(port), KEY]);
const missing = buildLeshan();
if (missing === undefined) {
  await measure('leshan', (port) => javaCommand('LoadPeer', [String(port), String(DEVICES), KEY]));
  ratios();
} else note('leshan', missing);
if (values.json) {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  const head = { benchmark: 'lwm2m-leshan', commit, node: process.version, cpus: cpus().length };
  console.log(JSON.stringify({ ...head, devices: DEVICES, results }));
}
process.exit(0);

async function measure(subject: string, command: (port: number) => readonly string[]): Promise<void> {
  const server = await ServerProgram.start(command);
  const idleKb = rssKb(server.pid);
  const fleet = new DirectFleet(DEVICES, server.port);
  const started = performance.now();
  await fleet.start(256);
  row('lwm2m-register', subject, DEVICES / ((performance.now() - started) / 1000), 'devices/s', 'higher');
  row('lwm2m-server-rss', subject, (rssKb(server.pid) - idleKb) / DEVICES, 'KB/device', 'lower');
  row('lwm2m-update', subject, await fleet.update(SECONDS * 1000, WINDOW), 'updates/s', 'higher');
  const observed = await server.ask('observe');
  const before = (await server.counts()).notified;
  const cpuBefore = cpuSeconds(server.pid);
  const notified = performance.now();
  const sent = await fleet.notify(SECONDS * 1000);
  await pause(1000);
  const received = (await server.counts()).notified - before;
  const seconds = (performance.now() - notified - 1000) / 1000;
  row('lwm2m-notify', subject, received / seconds, 'notifications/s', 'higher');
  row('lwm2m-notify-lost', subject, Math.max(0, 1 - received / sent) * 100, '%', 'lower');
  row('lwm2m-notify-cpu', subject, ((cpuSeconds(server.pid) - cpuBefore) * 1e6) / received, 'us', 'lower');
  if (observed !== `observed ${DEVICES}`) note(subject, observed);
  await fleet.stop();
  await server.stop();
}

function ratios(): void {
  for (const ours of results.filter(({ subject }) => subject === 'sefleet')) {
    const theirs = results.find(({ subject, name }) => subject === 'leshan' && name === ours.name);
    if (theirs === undefined || theirs.value === 0) continue;
    row(`${ours.name}-ratio`, 'sefleet / leshan', ours.value / theirs.value, '1', ours.better);
  }
}

function row(name: string, subject: string, value: number, unit: string, better: Row['better']): void {
  const rounded = Math.round(value * 100) / 100;
  results.push({ name, subject, value: rounded, unit, better });
  if (!values.json)
    console.log(`${name.padEnd(24)} ${subject.padEnd(18)} ${String(rounded).padStart(10)} ${unit}`);
}

function note(subject: string, text: string): void {
  if (!values.json) console.log(`${subject}: ${text}`);
}

function rssKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

/** User and system time, in ticks of a hundredth (proc(5), fields 14 and 15). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
