import { isSefleetError } from '@sefleet/errors';
import type { FleetDirectory } from '../fleet-directory.ts';
import type { Runtime, Timer } from '@sefleet/runtime';
import type { Campaign, CampaignResult, CampaignState, CampaignStore } from './campaign.ts';
import type { OperationRunner } from '../operations/operation-runner.ts';

/** What a {@link CampaignRun} works with. */
export interface CampaignRunParts {
  readonly fleet: Pick<FleetDirectory, 'find'>;
  readonly runner: OperationRunner;
  readonly store: CampaignStore;
  readonly runtime: Runtime;
  /** Told when the last device is done, or the campaign was ended. */
  readonly ended: (campaign: Campaign) => void;
}

/** Time for one attempt with one device. */
const ATTEMPT_MS = 120_000;
/** Between two attempts with a device that is there but did not answer. */
const RETRY_MS = 5000;

/**
 * A campaign that is under way. Devices that are away hold no place: they are parked until they are heard
 * of. What is under way when the process dies is done again, so an operation happens at least once.
 */
export class CampaignRun {
  campaign: Campaign;
  readonly #parts: CampaignRunParts;
  /** Devices to come to, in order. */
  readonly #ready: CampaignResult[];
  readonly #parked = new Map<string, CampaignResult>();
  readonly #abort = new AbortController();
  #running = 0;
  #retrying = 0;
  /** Past the deadline: nothing is parked or tried again. */
  #overdue = false;
  #deadline: Timer | undefined;

  constructor(campaign: Campaign, open: readonly CampaignResult[], parts: CampaignRunParts) {
    this.campaign = campaign;
    this.#parts = parts;
    this.#ready = open.toReversed();
  }

  start(): void {
    const { timers, clock } = this.#parts.runtime;
    const leftMs = Math.max(0, this.campaign.deadlineAtMs - clock.wallMs());
    this.#deadline = timers.after(leftMs, () => this.#onDeadline());
    this.#fill();
  }

  /** A device was heard of: a parked operation can go on. */
  deviceHeard(endpoint: string): void {
    const parked = this.#parked.get(endpoint);
    if (parked === undefined) return;
    this.#parked.delete(endpoint);
    this.#ready.push(parked);
    this.#fill();
  }

  /** Pauses, resumes or cancels; what is under way with a device is finished first. */
  change(state: 'paused' | 'running' | 'cancelled'): void {
    if (state === 'cancelled') this.#end('cancelled');
    else {
      this.#save(state, undefined);
      this.#fill();
    }
  }

  /** The process stops: nothing is started any more, nothing more is saved. */
  stop(): void {
    this.#deadline?.cancel();
    this.#abort.abort();
  }

  #fill(): void {
    while (this.campaign.state === 'running' && this.#running < this.campaign.concurrency) {
      const next = this.#ready.pop();
      if (next === undefined) break;
      this.#running++;
      void this.#attempt(next).finally(() => {
        this.#running--;
        this.#fill();
      });
    }
    const idle =
      this.#running === 0 && this.#ready.length === 0 && this.#parked.size === 0 && this.#retrying === 0;
    if (idle && this.campaign.state === 'running') this.#end('ended');
  }

  async #attempt(item: CampaignResult): Promise<void> {
    const device = this.#parts.fleet.find(item.endpoint);
    if (device === undefined || !device.reachable) {
      if (this.#overdue) this.#giveUp(item);
      else this.#parked.set(item.endpoint, item);
      return;
    }
    const attempts = item.attempts + 1;
    try {
      const options = { timeoutMs: ATTEMPT_MS, signal: this.#abort.signal };
      const outcome = await this.#parts.runner.run(device, this.campaign.operation, options);
      const { code, senmlJson, success, retry } = outcome;
      if (retry && this.#mayRetry(attempts)) this.#retry({ ...item, attempts });
      else this.#done({ ...item, attempts, code, senmlJson, state: success ? 'succeeded' : 'failed' });
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const code = isSefleetError(error) ? error.code : 'INTERNAL';
      const retry = isSefleetError(error) && error.fault === 'environment';
      if (retry && this.#mayRetry(attempts)) this.#retry({ ...item, attempts });
      else this.#done({ ...item, attempts, error: code, state: 'failed' });
    }
  }

  #mayRetry(attempts: number): boolean {
    return attempts < this.campaign.attempts && !this.#overdue;
  }

  #retry(item: CampaignResult): void {
    this.#parts.store.saveCampaignResult(this.campaign.id, item);
    this.#retrying++;
    this.#parts.runtime.timers.after(RETRY_MS, () => {
      this.#retrying--;
      if (this.#abort.signal.aborted) return;
      this.#ready.push(item);
      this.#fill();
    });
  }

  #done(result: CampaignResult): void {
    this.#parts.store.saveCampaignResult(this.campaign.id, result);
  }

  #giveUp(item: CampaignResult): void {
    this.#done({ ...item, state: 'failed', error: 'LWM2M_OPERATION_TIMEOUT' });
  }

  #onDeadline(): void {
    this.#overdue = true;
    for (const item of [...this.#ready.splice(0), ...this.#parked.values()]) this.#giveUp(item);
    this.#parked.clear();
    // What is under way ends by itself, what waits for its next attempt has that one; a paused campaign is
    // over as well.
    this.#save('running', undefined);
    this.#fill();
  }

  #end(state: 'ended' | 'cancelled'): void {
    this.#deadline?.cancel();
    this.#ready.length = 0;
    this.#parked.clear();
    this.#save(state, this.#parts.runtime.clock.wallMs());
    this.#parts.ended(this.campaign);
  }

  #save(state: CampaignState, endedAtMs: number | undefined): void {
    this.campaign = {
      ...this.campaign,
      state,
      endedAtMs: endedAtMs === undefined ? undefined : Math.round(endedAtMs),
    };
    this.#parts.store.updateCampaign(this.campaign);
  }
}
