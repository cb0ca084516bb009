import { mkdirSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { isSefleetError } from '@sefleet/errors';
import { ensureLocalPki } from '@sefleet/service';
import {
  planRehearsal,
  processesOn,
  rehearsalPki,
  type PlannedRehearsal,
  type RehearsalLayout,
  type RehearsalProcess,
  type RehearsalSetup,
} from './rehearsal-layout.ts';
import { ServiceProcess, type Launch } from './service-process.ts';

const PKI_NAMES = ['provisioning', 'rehearsal-ground', 'lwm2m-server', 'device-sim', 'cli'];
/** Somebody else may take a port between our look at it and the start of the service. */
const STARTS_MAX = 4;
const NEXT_START_MS = 250;
/** With this a service ends when its surroundings failed it, as by a port that is taken. */
const EXIT_ENVIRONMENT = 3;

/** The services of a rehearsal as processes of their own. */
export class RehearsalServices {
  readonly layout: RehearsalLayout;
  readonly #launches: PlannedRehearsal['launches'];
  readonly #running = new Map<RehearsalProcess, ServiceProcess>();
  readonly #lost = Promise.withResolvers<never>();
  #stopped = false;

  private constructor({ layout, launches }: PlannedRehearsal) {
    this.layout = layout;
    this.#launches = launches;
    // Whoever does not ask for it is not to end because of it.
    this.#lost.promise.catch(() => undefined);
  }

  /**
   * Starts them all on free ports; resolves when they are ready. @throws SefleetError
   * `REHEARSAL_START_FAILED` with the last words of the service that did not start
   */
  static async start(setup: RehearsalSetup): Promise<RehearsalServices> {
    mkdirSync(setup.dataFolder, { recursive: true });
    await ensureLocalPki(rehearsalPki(setup), [...PKI_NAMES, ...setup.suppliers]);
    return again(async () => {
      const services = new RehearsalServices(await planRehearsal(setup));
      const starts = [...services.#launches].map(([name, launch]) => services.#launch(name, launch));
      const ended = await Promise.allSettled(starts);
      const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
      if (failures.length === 0) return services;
      await services.stop();
      // What was asked for wrongly is the cause, whatever else failed.
      throw failures.find((failure) => isSefleetError(failure, 'CLI_USAGE')) ?? failures[0];
    });
  }

  /** The processes that run, by name. */
  get processes(): readonly { readonly name: string; readonly pid: number }[] {
    return [...this.#running].flatMap(([name, { pid }]) => (pid === undefined ? [] : [{ name, pid }]));
  }

  /** The processes that can be killed: all of them. */
  get killable(): readonly RehearsalProcess[] {
    return processesOn(this.layout.ground, this.layout.suppliers);
  }

  /** Rejects with `REHEARSAL_SERVICE_LOST` when one of them ends though nobody killed or stopped it. */
  get lost(): Promise<never> {
    return this.#lost.promise;
  }

  /** Kills a process without a word, as a crash would, and starts it again on what it left. */
  async kill(name: RehearsalProcess): Promise<void> {
    const running = this.#running.get(name);
    const launch = this.#launches.get(name);
    if (running === undefined || launch === undefined) return;
    await running.kill();
    this.#running.delete(name);
    await again(() => this.#launch(name, launch));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#running.values()].map((running) => running.stop()));
  }

  async #launch(name: RehearsalProcess, launch: Launch): Promise<void> {
    const running = await ServiceProcess.start(launch);
    this.#running.set(name, running);
    // One that was killed and came back while the others were stopped.
    if (this.#stopped) await running.stop();
    running.lost.catch(this.#lost.reject);
  }
}

/** The result of a start, which is tried again when the surroundings were to blame. */
async function again<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const mayHelp =
        isSefleetError(error, 'REHEARSAL_START_FAILED') && error.context['exitCode'] === EXIT_ENVIRONMENT;
      if (!mayHelp || attempt === STARTS_MAX) throw error;
      await pause(NEXT_START_MS * attempt);
    }
  }
}
