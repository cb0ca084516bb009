import type { Lwm2mServerStore } from '@sefleet/lwm2m-coap';
import type { AuditStore } from '../domain/audit-record.ts';
import type { BootstrapStore } from '../domain/bootstrap-store.ts';
import type { CampaignStore } from '../domain/campaigns/campaign.ts';
import type { EventStore } from '../domain/events/event-store.ts';
import type { QueuedOperationStore } from '../domain/operations/queued-operation.ts';

/** Everything that the service keeps. */
export interface ServerStore extends Lwm2mServerStore, BootstrapStore, CampaignStore, AuditStore {
  readonly operations: QueuedOperationStore;
  readonly events: EventStore;
  close(): Promise<void>;
}
