import { readFileSync } from 'node:fs';
import { buildLeshan, javaCommand } from '../../interop/leshan/java-peer.ts';
import { DirectFleet, KEY } from './direct-fleet.ts';
import { ServerProgram } from './server-program.ts';

/** One figure of the comparison. */
export interface ComparedRow {
  readonly name: string;
  /** `sefleet`, `leshan`, or the ratio of both. */
  readonly subject: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
}

/** How much of it. */
export interface ComparisonOptions {
  readonly devices: number;
  /** Of each kind of load. */
  readonly seconds: number;
  /** Told of every figure as it is there. */
  readonly row: (row: ComparedRow) => void;
  /** Told of what is wrong with one. */
  readonly note: (text: string) => void;
}

/** Updates under way at a time. */
const WINDOW = 512;
const OUR_PROGRAM = new URL('../serve-lwm2m.ts', import.meta.url).pathname;

/**
 * The same devices and the same load on our management server and on Leshan's, one after the other, each a
 * process of its own with nothing but the library in it; DTLS-PSK on loopback.
 *
 * @returns why there is no comparison, where Leshan is not on the machine
 */
export async function compareWithLeshan(options: ComparisonOptions): Promise<string | undefined> {
  const missing = buildLeshan('found');
  if (missing !== undefined) return missing;
  const comparison = new Comparison(options);
  await comparison.measure('sefleet', (port) => [process.execPath, OUR_PROGRAM, String(port), KEY]);
  await comparison.measure('leshan', (port) =>
    javaCommand('LoadPeer', [String(port), String(options.devices), KEY]),
  );
  comparison.ratios();
  return undefined;
}

class Comparison {
  readonly #options: ComparisonOptions;
  readonly #rows: ComparedRow[] = [];

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  async measure(subject: string, command: (port: number) => readonly string[]): Promise<void> {
    const { devices, seconds } = this.#options;
    const server = await ServerProgram.start(command);
    const idleKb = rssKb(server.pid);
    const fleet = new DirectFleet(devices, server.port);
    const started = performance.now();
    await fleet.start(256);
    this.#row('register', subject, devices / ((performance.now() - started) / 1000), 'devices/s', 'higher');
    this.#row('server-rss', subject, (rssKb(server.pid) - idleKb) / devices, 'KB/device', 'lower');
    this.#row('update', subject, await fleet.update(seconds * 1000, WINDOW), 'updates/s', 'higher');
    const observed = await server.ask('observe');
    const before = (await server.counts()).notified;
    const cpuBefore = cpuSeconds(server.pid);
    const notified = performance.now();
    const sent = await fleet.notify(seconds * 1000);
    await pause(1000);
    const received = (await server.counts()).notified - before;
    const elapsed = (performance.now() - notified - 1000) / 1000;
    this.#row('notify', subject, received / elapsed, 'notifications/s', 'higher');
    this.#row('notify-lost', subject, Math.max(0, 1 - received / sent) * 100, '%', 'lower');
    this.#row('notify-cpu', subject, ((cpuSeconds(server.pid) - cpuBefore) * 1e6) / received, 'us', 'lower');
    if (observed !== `observed ${devices}`) this.#options.note(`${subject}: ${observed}`);
    await fleet.stop();
    await server.stop();
  }

  ratios(): void {
    for (const ours of this.#rows.filter(({ subject }) => subject === 'sefleet')) {
      const theirs = this.#rows.find(({ subject, name }) => subject === 'leshan' && name === ours.name);
      if (theirs === undefined || theirs.value === 0) continue;
      this.#row(`${ours.name}-ratio`, 'sefleet / leshan', ours.value / theirs.value, '1', ours.better);
    }
  }

  #row(name: string, subject: string, value: number, unit: string, better: ComparedRow['better']): void {
    const row = { name, subject, value: Math.round(value * 100) / 100, unit, better };
    this.#rows.push(row);
    this.#options.row({ ...row, name: `lwm2m-library-${name}` });
  }
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
