import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SefleetError } from '@sefleet/errors';
import { ensureLocalPki, EXIT } from '@sefleet/service';
import { pkiFolder, SERVICE_NAMES, serviceEnvironment, type Layout, type ServiceName } from './layout.ts';

/** Certificates that the local authority makes: one a service, one for the command itself. */
export const PKI_NAMES = [...SERVICE_NAMES, 'cli'];

/** What is told of a service process. */
export type SupervisorEvent =
  | {
      readonly kind: 'ready';
      readonly service: ServiceName;
      readonly facts: Readonly<Record<string, unknown>>;
    }
  | {
      readonly kind: 'restarting';
      readonly service: ServiceName;
      readonly reason: string;
      readonly delayMs: number;
    };

/** The service processes of one layout. */
export interface Supervisor {
  /** Process ids of what runs now, for tests that kill one. */
  pids(): ReadonlyMap<ServiceName, number>;
  /** Settles when a service cannot be kept alive; never otherwise. */
  readonly failed: Promise<SefleetError>;
  stop(): Promise<void>;
}

interface Child {
  process: ChildProcess;
  restarts: number;
  startedMs: number;
}

const SERVICES_FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** A large young generation of the runtime's would hold more memory than the devices do. */
const RUNTIME_FLAGS: Readonly<Partial<Record<ServiceName, readonly string[]>>> = {
  'device-sim': ['--max-semi-space-size=8'],
};
/**
 * What each of the C library's heaps has held once, it keeps: with one for every thread of the runtime that
 * came to 60 KiB a device in a fleet of 300.
 */
const RUNTIME_ENVIRONMENT: Readonly<Partial<Record<ServiceName, Readonly<Record<string, string>>>>> = {
  'device-sim': { MALLOC_ARENA_MAX: '1' },
};
const COMPILE_CACHE = join(SERVICES_FOLDER, '../node_modules/.cache/sefleet');
const RESTART_DELAY_MS_MIN = 250;
const RESTART_DELAY_MS_MAX = 10_000;
/** A process that lived this long is healthy: its next restart is the first again. */
const HEALTHY_MS = 30_000;
/** In a row, each before the service was healthy again. */
const MAX_RESTARTS = 10;
const STOP_GRACE_MS = 10_000;

/**
 * Starts the four services as processes of their own and keeps them running: one that ends is started again,
 * later and later; one that says that its settings are wrong or a dependency is missing ends the lot.
 *
 * @param options.onEvent is told what happens, for a progress line.
 * @returns when every service has said that it is ready.
 * @throws SefleetError `SERVICE_START_FAILED` with the service's own words.
 */
export async function startServices(options: {
  readonly layout: Layout;
  readonly logLevel: string;
  readonly onEvent: (event: SupervisorEvent) => void;
}): Promise<Supervisor> {
  const { layout } = options;
  const logFolder = join(resolve(layout.dataFolder), 'logs');
  try {
    mkdirSync(logFolder, { recursive: true, mode: 0o700 });
    await ensureLocalPki(pkiFolder(layout), PKI_NAMES);
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? unwritable(layout.dataFolder, cause) : cause;
  }
  const supervision = new Supervision(options, logFolder);
  try {
    await Promise.all(SERVICE_NAMES.map((name) => supervision.start(name)));
  } catch (error) {
    await supervision.stop();
    throw error;
  }
  return supervision;
}

class Supervision implements Supervisor {
  readonly #children = new Map<ServiceName, Child>();
  readonly #logs = new Map<ServiceName, WriteStream>();
  readonly #options: Parameters<typeof startServices>[0];
  readonly #failure = Promise.withResolvers<SefleetError>();
  readonly failed = this.#failure.promise;
  #stopping = false;

  constructor(options: Parameters<typeof startServices>[0], logFolder: string) {
    this.#options = options;
    for (const name of SERVICE_NAMES) {
      const file = join(logFolder, `${name}.log`);
      const log = createWriteStream(file, { flags: 'a' });
      log.on('error', (cause) => this.#failure.resolve(unwritable(file, cause)));
      this.#logs.set(name, log);
    }
  }

  pids(): ReadonlyMap<ServiceName, number> {
    const pids = new Map<ServiceName, number>();
    for (const [name, child] of this.#children) {
      if (child.process.pid !== undefined && child.process.exitCode === null)
        pids.set(name, child.process.pid);
    }
    return pids;
  }

  start(name: ServiceName, restarts = 0): Promise<void> {
    const started = Promise.withResolvers<void>();
    const child = this.#spawn(name);
    this.#children.set(name, { process: child, restarts, startedMs: performance.now() });
    const lastWords = keepLastLine(child);
    let ready = false;
    child.on('message', (message) => {
      if (!isReadyMessage(message)) return;
      ready = true;
      this.#options.onEvent({ kind: 'ready', service: name, facts: message });
      started.resolve();
    });
    child.on('exit', (code, signal) => {
      if (this.#stopping) return started.resolve();
      const reason = describeEnd(name, code, signal, lastWords());
      const mayRecover = (ready || restarts > 0) && code !== EXIT.usage && restarts < MAX_RESTARTS;
      if (mayRecover) return this.#restart(name, reason.message);
      started.reject(reason);
      return this.#failure.resolve(reason);
    });
    return started.promise;
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const name of SERVICE_NAMES) {
      const child = this.#children.get(name)?.process;
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await ended;
      clearTimeout(force);
    }
    for (const log of this.#logs.values()) log.end();
  }

  #restart(name: ServiceName, reason: string): void {
    const child = this.#children.get(name);
    const lived = performance.now() - (child?.startedMs ?? 0);
    const restarts = lived > HEALTHY_MS ? 0 : (child?.restarts ?? 0);
    const delayMs = Math.min(RESTART_DELAY_MS_MIN * 2 ** restarts, RESTART_DELAY_MS_MAX);
    this.#options.onEvent({ kind: 'restarting', service: name, reason, delayMs });
    setTimeout(() => {
      if (this.#stopping) return;
      this.start(name, restarts + 1).catch(() => {
        // The failure has been reported through `failed`.
      });
    }, delayMs);
  }

  #spawn(name: ServiceName): ChildProcess {
    const { layout, logLevel } = this.#options;
    const child = fork(join(SERVICES_FOLDER, name, 'src/main.ts'), {
      env: {
        ...RUNTIME_ENVIRONMENT[name],
        ...process.env,
        ...serviceEnvironment(layout, name),
        SEFLEET_LOG_LEVEL: logLevel,
        // Parsed modules are kept: a third less time until a service is ready, from the second start on.
        NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? COMPILE_CACHE,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [...(RUNTIME_FLAGS[name] ?? [])],
      // A signal from the terminal reaches the whole group; the services are to stop in order, by ours.
      detached: true,
    });
    const log = this.#logs.get(name);
    for (const stream of [child.stdout, child.stderr]) {
      if (log !== undefined) stream?.pipe(log, { end: false });
    }
    return child;
  }
}

function unwritable(path: string, cause: Error): SefleetError {
  return new SefleetError(
    'SUPERVISOR_DATA_UNWRITABLE',
    'environment',
    `${path} cannot be written: ${cause.message}`,
    {
      cause,
      hint: 'Make room, or choose another folder: SEFLEET_DATA=/path.',
    },
  );
}

function isReadyMessage(message: unknown): message is Record<string, unknown> {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'ready';
}

/** The last line that says why a process ended: of the log's `service.failed`, or whatever was printed. */
function keepLastLine(child: ChildProcess): () => string {
  let last = '';
  const keep = (chunk: Buffer): void => {
    const lines = chunk
      .toString('utf8')
      .split('\n')
      .filter((line) => line.trim() !== '');
    last = lines.findLast((line) => line.includes('service.failed')) ?? lines.at(-1) ?? last;
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => last;
}

function describeEnd(
  name: string,
  code: number | null,
  signal: string | null,
  lastWords: string,
): SefleetError {
  const end = signal === null ? `exit code ${code}` : signal;
  let reason = lastWords.slice(0, 400);
  let hint: string | undefined;
  try {
    const line: unknown = JSON.parse(lastWords);
    if (typeof line === 'object' && line !== null && 'reason' in line) {
      reason = String(line.reason);
      if ('hint' in line && typeof line.hint === 'string') hint = line.hint;
    }
  } catch {
    // Not a log line: what was printed has to do.
  }
  const fault = code === EXIT.usage ? 'caller' : code === EXIT.unreachable ? 'environment' : 'internal';
  return new SefleetError('SERVICE_START_FAILED', fault, `${name} ended (${end}): ${reason}`, {
    context: { service: name, code, signal },
    ...(hint === undefined ? {} : { hint }),
  });
}
