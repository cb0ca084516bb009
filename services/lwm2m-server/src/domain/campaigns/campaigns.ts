import { isDeepStrictEqual } from 'node:util';
import { serviceError } from '../../errors.ts';
import type { Operation } from '../operations/operation.ts';
import type { Campaign, CampaignCounts } from './campaign.ts';
import { CampaignRun } from './campaign-run.ts';
import type { CampaignRunParts } from './campaign-run.ts';

/** What a caller asks for. */
export interface CampaignOrder {
  readonly id: string;
  readonly operation: Operation;
  readonly endpoints: readonly string[];
  readonly concurrency: number;
  readonly attempts: number;
  readonly deadlineSeconds: number;
  readonly startedBy: string;
}

/** A campaign and where its devices are. */
export interface CampaignStatus {
  readonly campaign: Campaign;
  readonly counts: CampaignCounts;
}

/** Campaigns under way at once. */
const RUNS_MAX = 64;
const LISTED_MAX = 100;

/** Every campaign: starts, resumes after a restart, controls. */
export class Campaigns {
  readonly #parts: CampaignRunParts;
  readonly #runs = new Map<string, CampaignRun>();
  /** Orders that are being looked at, by id. */
  readonly #entering = new Map<string, Promise<CampaignStatus>>();
  /** New ones that do not run yet. */
  #starting = 0;

  constructor(parts: Omit<CampaignRunParts, 'ended'>) {
    this.#parts = { ...parts, ended: ({ id }) => void this.#runs.delete(id) };
  }

  /** Goes on with what the last run of the process left. */
  async resume(): Promise<void> {
    for (const campaign of await this.#parts.store.openCampaigns()) await this.#run(campaign);
  }

  /**
   * Starts a campaign; one that the same caller started under the same id is given back as it is, if
   * its operation is the same.
   *
   * @throws SefleetError `LWM2M_CAMPAIGN_EXISTS`, `LWM2M_CAMPAIGN_PRECONDITION`
   */
  async start(order: CampaignOrder): Promise<CampaignStatus> {
    // Two calls with one id at once: the second finds what the first has made.
    for (let first = this.#entering.get(order.id); first !== undefined;) {
      await first.catch(() => {});
      first = this.#entering.get(order.id);
    }
    const made = this.#enter(order);
    this.#entering.set(order.id, made);
    return made.finally(() => this.#entering.delete(order.id));
  }

  async #enter(order: CampaignOrder): Promise<CampaignStatus> {
    const known = await this.#parts.store.findCampaign(order.id);
    if (known !== undefined) {
      // The id of somebody else's campaign: neither its state nor its counts are the caller's business.
      if (known.startedBy !== order.startedBy) {
        throw serviceError('LWM2M_CAMPAIGN_EXISTS', `campaign ${order.id} exists`);
      }
      if (!isDeepStrictEqual(known.operation, order.operation)) {
        const text = `campaign ${order.id} exists with another operation (${known.operation.kind})`;
        throw serviceError('LWM2M_CAMPAIGN_EXISTS', text, { hint: 'Take a new campaign_id.' });
      }
      return this.#status(known);
    }
    if (this.#runs.size + this.#starting >= RUNS_MAX) {
      throw serviceError('LWM2M_CAMPAIGN_PRECONDITION', `${RUNS_MAX} campaigns run already`);
    }
    const startedAtMs = Math.round(this.#parts.runtime.clock.wallMs());
    const { id, operation, concurrency, attempts, startedBy } = order;
    const campaign: Campaign = {
      id,
      operation,
      concurrency,
      attempts,
      startedBy,
      startedAtMs,
      state: 'running',
      deadlineAtMs: startedAtMs + order.deadlineSeconds * 1000,
      endedAtMs: undefined,
    };
    this.#starting++;
    try {
      await this.#parts.store.saveCampaign(campaign, [...new Set(order.endpoints)]);
      await this.#run(campaign);
    } finally {
      this.#starting--;
    }
    return this.find(id);
  }

  /** @throws SefleetError `LWM2M_CAMPAIGN_NOT_FOUND` */
  async find(id: string): Promise<CampaignStatus> {
    const campaign = await this.#parts.store.findCampaign(id);
    if (campaign === undefined) throw serviceError('LWM2M_CAMPAIGN_NOT_FOUND', `there is no campaign ${id}`);
    return this.#status(campaign);
  }

  async list(): Promise<readonly CampaignStatus[]> {
    const campaigns = await this.#parts.store.listCampaigns(LISTED_MAX);
    return Promise.all(campaigns.map((campaign) => this.#status(campaign)));
  }

  /** @throws SefleetError `LWM2M_CAMPAIGN_NOT_FOUND`, `LWM2M_CAMPAIGN_PRECONDITION` */
  async control(id: string, state: 'paused' | 'running' | 'cancelled'): Promise<CampaignStatus> {
    const run = this.#runs.get(id);
    if (run === undefined) {
      const { campaign } = await this.find(id);
      throw serviceError('LWM2M_CAMPAIGN_PRECONDITION', `campaign ${id} is ${campaign.state}`);
    }
    run.change(state);
    return this.find(id);
  }

  /** True while a campaign is under way. */
  get active(): boolean {
    return this.#runs.size > 0;
  }

  /** A device was heard of. */
  deviceHeard(endpoint: string): void {
    for (const run of this.#runs.values()) run.deviceHeard(endpoint);
  }

  stop(): void {
    for (const run of this.#runs.values()) run.stop();
  }

  async #run(campaign: Campaign): Promise<void> {
    const open = await this.#parts.store.openCampaignResults(campaign.id);
    const run = new CampaignRun(campaign, open, this.#parts);
    this.#runs.set(campaign.id, run);
    run.start();
  }

  async #status(campaign: Campaign): Promise<CampaignStatus> {
    return { campaign, counts: await this.#parts.store.campaignCounts(campaign.id) };
  }
}
