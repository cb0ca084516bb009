import { readFileSync } from 'node:fs';
import type { NetworkProfile } from './network-sampler.ts';
import { loggedFailures } from './service-logs.ts';
import type { ScannedProcess } from './rehearsal-scan.ts';

/** What the switch reported at one moment. */
export interface LoadReading {
  /** Meters that are not through. */
  readonly backlog: number;
  /** Meters that are due or that something is done for. */
  readonly working: number;
  /** Commands to cards since provisioning started. */
  readonly commandsSent: number;
}

/** One moment of a rehearsal, in real time. */
export interface LoadSample {
  /** Milliseconds since the first sample. */
  readonly atMs: number;
  readonly backlog: number;
  readonly working: number;
  /** Commands to cards in a second, since the sample before. */
  readonly commandsPerSecond: number;
}

/** The most that a service needed. */
export interface ServicePeak {
  readonly service: string;
  /** Of one core, since the sample before, in per cent. */
  readonly cpuPercentMax: number;
  readonly cpuSeconds: number;
  readonly memoryMiBMax: number;
  /** What it logged as a warning or an error. */
  readonly warnings: number;
  readonly errors: number;
}

/** How hard a rehearsal was for those who worked on it. */
export interface LoadProfile {
  readonly samples: readonly LoadSample[];
  readonly commandsPerSecondMax: number;
  readonly workingMax: number;
  readonly backlogMax: number;
  readonly services: readonly ServicePeak[];
  /** What the LwM2M servers did; undefined where there is no network. */
  readonly network: NetworkProfile | undefined;
}

/** Samples closer to each other than this say more about the sampling than about the load. */
const STEP_MS = 250;
/** Ticks of `/proc/<pid>/stat` in a second: USER_HZ, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
const PAGE_BYTES = 4096;
const MIB = 1024 * 1024;
/** More would make the report large; every second one is given up when there are more. */
const SAMPLES_MAX = 600;

interface Usage {
  pid: number;
  seconds: number;
  cpuSecondsBefore: number;
  cpuPercentMax: number;
  memoryMiBMax: number;
}

/** Takes the load of a switch and of the processes that work on it, again and again. */
export class LoadSampler {
  #samples: LoadSample[] = [];
  readonly #usages = new Map<string, Usage>();
  #startedMs: number | undefined;
  #lastMs = 0;
  #lastCommands = 0;
  #commandsPerSecondMax = 0;

  /** Takes a sample, unless the last one was a moment ago. */
  sample(nowMs: number, reading: LoadReading, processes: readonly ScannedProcess[]): void {
    const passedMs = this.#startedMs === undefined ? STEP_MS : nowMs - this.#lastMs;
    if (passedMs < STEP_MS) return;
    this.#startedMs ??= nowMs;
    // A provisioning that was killed counts from nothing again.
    const sent =
      reading.commandsSent < this.#lastCommands
        ? reading.commandsSent
        : reading.commandsSent - this.#lastCommands;
    const commandsPerSecond = Math.round((sent * 1000) / passedMs);
    this.#lastMs = nowMs;
    this.#lastCommands = reading.commandsSent;
    this.#commandsPerSecondMax = Math.max(this.#commandsPerSecondMax, commandsPerSecond);
    const { backlog, working } = reading;
    this.#samples.push({ atMs: Math.round(nowMs - this.#startedMs), backlog, working, commandsPerSecond });
    if (this.#samples.length > SAMPLES_MAX) this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
    for (const one of processes) this.#measure(one, passedMs);
  }

  /** @param dataFolder Where the services write their logs. */
  profile(dataFolder: string, network: NetworkProfile | undefined): LoadProfile {
    const most = (pick: (sample: LoadSample) => number): number =>
      this.#samples.reduce((max, sample) => Math.max(max, pick(sample)), 0);
    return {
      samples: this.#samples,
      commandsPerSecondMax: this.#commandsPerSecondMax,
      workingMax: most(({ working }) => working),
      backlogMax: most(({ backlog }) => backlog),
      services: [...this.#usages].map(([service, { cpuPercentMax, seconds, memoryMiBMax }]) => {
        const cpuSeconds = Math.round(seconds * 10) / 10;
        return { service, cpuPercentMax, cpuSeconds, memoryMiBMax, ...loggedFailures(dataFolder, service) };
      }),
      network,
    };
  }

  #measure({ name, pid }: ScannedProcess, passedMs: number): void {
    const found = readUsage(pid);
    if (found === undefined) return;
    const usage = this.#usages.get(name) ?? {
      pid: 0,
      seconds: 0,
      cpuSecondsBefore: 0,
      cpuPercentMax: 0,
      memoryMiBMax: 0,
    };
    const fresh = usage.pid !== pid;
    const used = found.cpuSeconds - (fresh ? 0 : usage.cpuSecondsBefore);
    usage.seconds += used;
    // What a process used before it was first looked at says nothing about this moment.
    if (!fresh) usage.cpuPercentMax = Math.max(usage.cpuPercentMax, Math.round((used * 100_000) / passedMs));
    usage.pid = pid;
    usage.cpuSecondsBefore = found.cpuSeconds;
    usage.memoryMiBMax = Math.max(usage.memoryMiBMax, found.memoryMiB);
    this.#usages.set(name, usage);
  }
}

function readUsage(pid: number): { readonly cpuSeconds: number; readonly memoryMiB: number } | undefined {
  try {
    // The name of the program stands in brackets and may have blanks; what counts follows it.
    const [, fields = ''] = /\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    const columns = fields.split(' ');
    const ticks = Number(columns[11]) + Number(columns[12]);
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryMiB: Math.round((pages * PAGE_BYTES) / MIB) };
  } catch {
    // Gone, or a system without /proc: then there is no figure, and the report says none.
    return undefined;
  }
}
