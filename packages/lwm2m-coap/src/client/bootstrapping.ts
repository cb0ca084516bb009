import { afterFailure, bootstrapAccount, OBJECT_ID } from '@sefleet/lwm2m';
import type { SecurityAccount } from '@sefleet/lwm2m';
import type { Timer } from '@sefleet/runtime';
import { BootstrapSession } from './bootstrap-session.ts';
import type { LinkOwner } from './server-link.ts';

/** Who wants to be bootstrapped. */
export interface BootstrapHost extends LinkOwner {
  /** An attempt begins, now or after the hold-off time. */
  bootstrapBegins(): void;
  /** The bootstrap server has finished, and the accounts make sense. */
  bootstrapDone(): void;
  /** All attempts failed. */
  bootstrapGivenUp(error: unknown): void;
}

/** Bootstraps of one device, one at a time: hold-off, retries, and the connection that lingers. */
export class Bootstrapping {
  readonly #host: BootstrapHost;
  #session: BootstrapSession | undefined;
  /** The one before: its connection lingers. */
  #finished: BootstrapSession | undefined;
  #failures = 0;
  #timer: Timer | undefined;

  constructor(host: BootstrapHost) {
    this.#host = host;
  }

  /** True while the bootstrap server may write. */
  get active(): boolean {
    return this.#session !== undefined;
  }

  /**
   * Begins, unless one is under way.
   *
   * @param holdOff wait for the hold-off time of the account first (Core §6.1.4)
   * @returns false when the device knows no bootstrap server
   */
  start(holdOff: boolean): boolean {
    if (this.#session !== undefined) return true;
    const account = bootstrapAccount(this.#host.tree);
    if (account === undefined) return false;
    this.#host.bootstrapBegins();
    this.#timer?.cancel();
    const delayMs = holdOff ? account.holdOffSeconds * 1000 : 0;
    if (delayMs === 0) void this.#run(account);
    else this.#timer = this.#host.runtime.timers.after(delayMs, () => void this.#run(account));
    return true;
  }

  /** Ends what is under way and closes what lingers. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const session = this.#session;
    const finished = this.#finished;
    this.#session = undefined;
    this.#finished = undefined;
    await Promise.all([session?.abort(), finished?.abort()]);
  }

  async #run(account: SecurityAccount): Promise<void> {
    const session = new BootstrapSession(this.#host, account);
    const { clock } = this.#host.runtime;
    const beganMs = clock.monotonicMs();
    this.#session = session;
    try {
      await session.run();
    } catch (error) {
      if (this.#session === session) this.#failed(error);
      return;
    }
    if (this.#session !== session) return;
    this.#session = undefined;
    this.#finished = session;
    this.#failures = 0;
    this.#host.events.bootstrapped?.(this.#host.endpointName, clock.monotonicMs() - beganMs);
    this.#expireAccount(account);
    this.#host.bootstrapDone();
  }

  #failed(error: unknown): void {
    this.#session = undefined;
    const { endpointName, events, settings, runtime } = this.#host;
    events.bootstrapFailed?.(endpointName, error);
    const step = afterFailure(++this.#failures, settings.bootstrapRetry);
    if (step.kind === 'exhausted') {
      this.#failures = 0;
      this.#host.bootstrapGivenUp(error);
    } else {
      this.#timer = runtime.timers.after(step.afterSeconds * 1000, () => this.start(false));
    }
  }

  /** Core appendix E.1, resource 12: the bootstrap server's account goes after a while. */
  #expireAccount({ instanceId, accountTimeoutSeconds }: SecurityAccount): void {
    if (accountTimeoutSeconds === 0) return;
    const { runtime, tree } = this.#host;
    runtime.timers.after(accountTimeoutSeconds * 1000, () =>
      tree.objects.get(OBJECT_ID.SECURITY)?.remove(instanceId),
    );
  }
}
