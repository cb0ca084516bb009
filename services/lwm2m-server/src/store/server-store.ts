import type { Lwm2mServerStore } from '@sefleet/lwm2m-coap';
import type { AuditStore } from '../domain/audit-record.ts';
import type { BootstrapStore } from '../domain/bootstrap-store.ts';
import type { CampaignStore } from '../domain/campaigns/campaign.ts';

/** Everything that the service keeps. */
export interface ServerStore extends Lwm2mServerStore, BootstrapStore, CampaignStore, AuditStore {
  close(): Promise<void>;
}
