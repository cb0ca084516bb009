import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { management } from '@sefleet/api';
import type { Timers } from '@sefleet/runtime';
import { serve } from '@sefleet/service';
import type { ServedService, ServiceImplementation } from '@sefleet/service';
import type { ApduDoor } from '../../domain/apdu-door.ts';
import type { AuditStore } from '../../domain/audit-record.ts';
import type { EventJournal, JournalItem } from '../../domain/events/event-journal.ts';
import type { Statistics } from '../../domain/statistics.ts';
import { campaignFront } from '../shards/campaign-front.ts';
import { deviceFront } from '../shards/device-front.ts';
import { eventFront } from '../shards/event-front.ts';
import { fleetFront } from '../shards/fleet-front.ts';
import { queueFront } from '../shards/queue-front.ts';
import type { Shards } from '../shards/shards.ts';
import { apduOperations } from './apdu-channel.ts';
import { campaignOperations } from './campaign-operations.ts';
import type { CampaignCallParts } from './campaign-operations.ts';
import { kindName, kindOf } from './device-kind.ts';
import { deviceTreeOperation } from './device-tree-operation.ts';
import { compositeOperations, singleOperations } from './device-operations.ts';
import { toEventMessage, toEventTypes } from './event-message.ts';
import { fromPageToken, pageSizeOf, toPageToken } from './paging.ts';
import { queuedOperations } from './queued-operations.ts';
import type { QueuedOperationParts } from './queued-operations.ts';
import { toTraits } from './registration-filter.ts';
import { toRegistrationMessage } from './registration-message.ts';

/** What the northbound interface works with. */
export interface DeviceManagementParts extends CampaignCallParts, QueuedOperationParts {
  readonly door: ApduDoor;
  readonly journal: EventJournal;
  readonly statistics: Statistics;
  readonly audit: AuditStore;
  readonly timers: Timers;
  readonly shards: Shards;
}

type Service = ServiceImplementation<typeof management.DeviceManagementService>;

/** DeviceManagementService. */
export function serveDeviceManagement(parts: DeviceManagementParts): ServedService {
  const { access, models, shards, journal } = parts;
  const own: Service = {
    ...registrationQueries(parts),
    ...observability(parts),
    ...singleOperations(access, models),
    ...compositeOperations(access, models),
    ...deviceTreeOperation(access, models, parts.timers),
    ...apduOperations(access, parts.door),
    ...campaignOperations(parts),
    ...queuedOperations(parts),
  };
  const place = (): string => journal.token;
  return serve(management.DeviceManagementService, {
    ...deviceFront(own, shards),
    ...fleetFront(own, shards),
    ...queueFront(own, shards),
    ...campaignFront(own, shards),
    watchEvents: eventFront({ watchEvents: own.watchEvents, place }, shards, parts.timers),
  });
}

function registrationQueries({
  access,
  list,
}: DeviceManagementParts): Pick<Service, 'listRegistrations' | 'getRegistration'> {
  return {
    listRegistrations: ({ pageSize, pageToken, kind, search, filter }, context) => {
      access.require(context, 'list');
      const page = list.page(fromPageToken(pageToken), pageSizeOf(pageSize), {
        kind: kindName(kind),
        search,
        traits: toTraits(filter),
        visible: ({ registration }) => access.allowsDevice(context, 'list', registration.endpoint),
      });
      return {
        registrations: page.devices.map(toRegistrationMessage),
        nextPageToken: page.next === undefined ? '' : toPageToken(page.next),
        total: BigInt(page.total),
      };
    },
    getRegistration: ({ endpoint }, context) => ({
      registration: toRegistrationMessage(access.device(context, 'list', endpoint)),
    }),
  };
}

function observability(
  parts: DeviceManagementParts,
): Pick<Service, 'getStatistics' | 'watchEvents' | 'listAuditRecords'> {
  const { access, statistics, journal, models, audit } = parts;
  return {
    getStatistics: async (_request, context) => {
      access.require(context, 'statistics');
      const kinds = await statistics.kinds();
      return {
        kinds: kinds.map(({ kind, bootstrapped, registered, sleeping }) => ({
          kind: kindOf(kind),
          bootstrapped: BigInt(bootstrapped),
          registered: BigInt(registered),
          sleeping: BigInt(sleeping),
        })),
        counters: Array.from(statistics.counters(), ([name, value]) => ({ name, value: BigInt(value) })),
        residentMemoryBytes: BigInt(process.memoryUsage.rss()),
        eventToken: journal.token,
      };
    },
    watchEvents: async function* ({ resumeToken, types }, context) {
      access.require(context, 'events');
      const visible = (item: JournalItem): boolean =>
        item.kind === 'skipped' || access.allows(context, 'events', item.event, pathsOf(item.event));
      for await (const item of journal.read(resumeToken, toEventTypes(types), context.signal)) {
        if (visible(item)) yield toEventMessage(item, models);
      }
    },
    listAuditRecords: async ({ pageSize, caller }, context) => {
      access.require(context, 'audit');
      const records = await audit.listAudit(pageSizeOf(pageSize), caller);
      return { records: records.map(({ atMs, ...record }) => ({ ...record, at: timestampFromMs(atMs) })) };
    },
  };
}

function pathsOf({ entries }: Extract<JournalItem, { kind: 'event' }>['event']) {
  return entries.map(({ path }) => path);
}
