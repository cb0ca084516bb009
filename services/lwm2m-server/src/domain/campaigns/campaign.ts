import type { Operation } from '../operations/operation.ts';

export type CampaignState = 'running' | 'paused' | 'ended' | 'cancelled';

/** One operation on many devices. */
export interface Campaign {
  readonly id: string;
  readonly state: CampaignState;
  readonly operation: Operation;
  /** Devices at a time. */
  readonly concurrency: number;
  /** Attempts a device, the first one included. */
  readonly attempts: number;
  readonly startedAtMs: number;
  /** When devices that are still away are given up. */
  readonly deadlineAtMs: number;
  readonly endedAtMs: number | undefined;
  readonly startedBy: string;
}

/** What came of one device. */
export interface CampaignResult {
  readonly endpoint: string;
  readonly state: 'open' | 'succeeded' | 'failed';
  /** CoAP code of the device's answer; empty when there was none. */
  readonly code: string;
  readonly senmlJson: string;
  /** Error code when the device gave no answer. */
  readonly error: string;
  readonly attempts: number;
}

/** How many devices are where. */
export interface CampaignCounts {
  readonly succeeded: number;
  readonly failed: number;
  readonly open: number;
}

/** Keeps campaigns. */
export interface CampaignStore {
  /** Saves a new campaign with all of its devices; resolves when it is durable. */
  saveCampaign(campaign: Campaign, endpoints: readonly string[]): Promise<void>;
  updateCampaign(campaign: Campaign): void;
  saveCampaignResult(campaignId: string, result: CampaignResult): void;
  findCampaign(id: string): Promise<Campaign | undefined>;
  /** The newest first. */
  listCampaigns(limit: number): Promise<readonly Campaign[]>;
  /** All that are under way or paused. */
  openCampaigns(): Promise<readonly Campaign[]>;
  campaignCounts(id: string): Promise<CampaignCounts>;
  /** Devices that are not done. */
  openCampaignResults(id: string): Promise<readonly CampaignResult[]>;
  /** In the order of the endpoint names, behind `after`. */
  campaignResults(
    id: string,
    page: { readonly after: string; readonly limit: number; readonly onlyFailed: boolean },
  ): Promise<readonly CampaignResult[]>;
}
