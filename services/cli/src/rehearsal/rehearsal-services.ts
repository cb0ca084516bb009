import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SefleetError } from '@sefleet/errors';
import { ensureLocalPki } from '@sefleet/service';

/** Where the services of a rehearsal listen and keep what they keep. */
export interface RehearsalLayout {
  readonly dataFolder: string;
  readonly provisioningPort: number;
  readonly groundPort: number;
}

/** A process of a rehearsal. */
export type RehearsalProcess = 'provisioning' | 'rehearsal-ground';

const SERVICES_FOLDER = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
const ENTRY: Readonly<Record<RehearsalProcess, string>> = {
  provisioning: 'provisioning/src/main.ts',
  'rehearsal-ground': 'provisioning/src/rehearsal-ground/main.ts',
};
const STOP_GRACE_MS = 5000;
const PKI_NAMES = ['provisioning', 'rehearsal-ground', 'cli'];

/** The PKI folder of a rehearsal. */
export function rehearsalPki({ dataFolder }: RehearsalLayout): string {
  return join(dataFolder, 'pki');
}

/** Provisioning and the meters' ground as processes of their own. */
export class RehearsalServices {
  readonly #layout: RehearsalLayout;
  readonly #children = new Map<RehearsalProcess, ChildProcess>();

  private constructor(layout: RehearsalLayout) {
    this.#layout = layout;
  }

  /** Starts both; resolves when they are ready. */
  static async start(layout: RehearsalLayout): Promise<RehearsalServices> {
    mkdirSync(layout.dataFolder, { recursive: true });
    await ensureLocalPki(rehearsalPki(layout), PKI_NAMES);
    const services = new RehearsalServices(layout);
    await Promise.all([services.#launch('provisioning'), services.#launch('rehearsal-ground')]);
    return services;
  }

  /** The processes that keep what they need to go on after a kill. */
  get killable(): readonly RehearsalProcess[] {
    return ['provisioning'];
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
    for (const child of this.#children.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      await ended;
      clearTimeout(force);
    }
  }

  async #launch(name: RehearsalProcess): Promise<void> {
    const { dataFolder, provisioningPort, groundPort } = this.#layout;
    const child = fork(join(SERVICES_FOLDER, ENTRY[name]), {
      env: {
        ...process.env,
        SEFLEET_DATA: dataFolder,
        SEFLEET_PKI: rehearsalPki(this.#layout),
        SEFLEET_REHEARSAL: 'true',
        SEFLEET_LOG_LEVEL: 'info',
        SEFLEET_GRPC_PORT: String(name === 'provisioning' ? provisioningPort : groundPort),
        SEFLEET_PROVISIONING_TARGET: `127.0.0.1:${provisioningPort}`,
        SEFLEET_LWM2M_TARGET: `127.0.0.1:${groundPort}`,
      },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#children.set(name, child);
    const log = createWriteStream(join(dataFolder, `${name}.log`), { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    const ended = once(child, 'exit').then(() => 'ended' as const);
    if ((await Promise.race([once(child, 'message'), ended])) !== 'ended') return;
    throw new SefleetError('REHEARSAL_START_FAILED', 'environment', `${name} ended before it was ready`, {
      hint: `Its last words are in ${join(dataFolder, `${name}.log`)}.`,
    });
  }
}
