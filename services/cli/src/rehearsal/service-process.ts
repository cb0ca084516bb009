import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { SefleetError } from '@sefleet/errors';
import { usageError } from '../command-line.ts';

/** How a service is started. */
export interface Launch {
  /** What it is called, in messages and in its log's name. */
  readonly name: string;
  /** Path of its main module. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Where everything that it prints is appended. */
  readonly logFile: string;
}

/** With this a service ends that refuses its settings. */
const EXIT_USAGE = 2;
/** The event with which a service ends that cannot start. */
const SERVICE_FAILED = 'service.failed';
const STOP_GRACE_MS = 5000;
const LAST_WORDS_BYTES = 16_384;
const LAST_WORDS_LINES = 4;
const LINE_LENGTH_MAX = 400;

/** One service as a child process. */
export class ServiceProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #log: WriteStream;
  readonly #logFile: string;
  readonly #closed: Promise<void>;
  #words = '';
  #wanted = true;

  private constructor({ name, entry, environment, logFile }: Launch) {
    this.name = name;
    this.#logFile = logFile;
    this.#log = createWriteStream(logFile, { flags: 'a' });
    this.#child = fork(entry, { env: environment, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#words = (this.#words + chunk.toString()).slice(-LAST_WORDS_BYTES);
      });
      stream?.pipe(this.#log, { end: false });
    }
    // Not `exit`: what it printed last may still be on its way then.
    this.#closed = once(this.#child, 'close').then(() => {
      this.#log.end();
    });
  }

  /**
   * Starts a service; resolves when it is ready. @throws SefleetError `REHEARSAL_START_FAILED` with its last
   * words, and with its exit code in the context; `CLI_USAGE` when it refuses what it was told
   */
  static async start(launch: Launch): Promise<ServiceProcess> {
    const started = new ServiceProcess(launch);
    const ended = started.#closed.then(() => 'ended' as const);
    if ((await Promise.race([once(started.#child, 'message'), ended])) !== 'ended') return started;
    const { exitCode } = started.#child;
    // What a rehearsal tells its services it was told itself.
    if (exitCode === EXIT_USAGE) throw started.#refusal();
    const message = `${launch.name} ended before it was ready`;
    throw new SefleetError('REHEARSAL_START_FAILED', 'environment', message, {
      hint: started.#lastWords(),
      context: { exitCode },
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects with `REHEARSAL_SERVICE_LOST` when it ends though nobody wanted it to; else never settles. */
  get lost(): Promise<never> {
    return this.#closed.then(() => {
      if (!this.#wanted) return new Promise<never>(() => undefined);
      const { exitCode, signalCode } = this.#child;
      const message = `${this.name} ended by itself (${signalCode ?? `exit code ${exitCode}`})`;
      throw new SefleetError('REHEARSAL_SERVICE_LOST', 'internal', message, { hint: this.#lastWords() });
    });
  }

  /** Kills it without a word, as a crash would. */
  async kill(): Promise<void> {
    this.#wanted = false;
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#closed;
    clearTimeout(force);
  }

  #refusal(): SefleetError {
    const events = this.#words.split('\n').map(eventIn);
    const failed = events.findLast((event) => event?.['event'] === SERVICE_FAILED);
    const text = (name: string): string | undefined => {
      const value = failed?.[name];
      return typeof value === 'string' ? value : undefined;
    };
    const [reason, hint] = [text('reason'), text('hint')];
    return usageError(reason ?? `${this.name} refuses what it was told`, hint ?? this.#lastWords());
  }

  #lastWords(): string {
    const lines = this.#words.trimEnd().split('\n').slice(-LAST_WORDS_LINES);
    const shown = lines.map((line) => `  ${line.slice(0, LINE_LENGTH_MAX)}`).join('\n');
    return `Its log is ${this.#logFile}; it ends with:\n${shown}`;
  }
}

/** The event that a line of a log is; not every line is one. */
function eventIn(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const event: unknown = JSON.parse(line);
    return typeof event === 'object' && event !== null
      ? Object.fromEntries(Object.entries(event))
      : undefined;
  } catch {
    return undefined;
  }
}
