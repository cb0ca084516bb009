import { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { Lwm2mServer } from '@sefleet/lwm2m-coap';
import { serve } from '@sefleet/service';
import type { ServedService, ServiceImplementation } from '@sefleet/service';
import type { ApduDoor } from '../../domain/apdu-door.ts';
import type { EventJournal } from '../../domain/event-journal.ts';
import type { RegistrationList } from '../../domain/registration-list.ts';
import type { Statistics } from '../../domain/statistics.ts';
import { serviceError } from '../../errors.ts';
import { apduOperations } from './apdu-channel.ts';
import { kindName, kindOf } from './device-kind.ts';
import { deviceOperations } from './device-operations.ts';
import { toEventMessage, toEventTypes } from './event-message.ts';
import { toRegistrationMessage } from './registration-message.ts';

/** What the northbound interface works with. */
export interface DeviceManagementParts {
  readonly server: Lwm2mServer;
  readonly models: ModelRegistry;
  readonly list: RegistrationList;
  readonly door: ApduDoor;
  readonly journal: EventJournal;
  readonly statistics: Statistics;
}

const PAGE_SIZE = 100;
const PAGE_SIZE_MAX = 1000;

/** DeviceManagementService. */
export function serveDeviceManagement(parts: DeviceManagementParts): ServedService {
  const { server, models, journal } = parts;
  return serve(management.DeviceManagementService, {
    ...registrationQueries(parts),
    ...deviceOperations(server, models),
    ...apduOperations(parts.door),
    watchEvents: async function* ({ resumeToken, types }, { signal }) {
      for await (const item of journal.read(resumeToken, toEventTypes(types), signal)) {
        yield toEventMessage(item, models);
      }
    },
  });
}

type Queries = Pick<
  ServiceImplementation<typeof management.DeviceManagementService>,
  'listRegistrations' | 'getRegistration' | 'getStatistics'
>;

function registrationQueries({ server, list, statistics }: DeviceManagementParts): Queries {
  return {
    listRegistrations: ({ pageSize, pageToken, kind, search }) => {
      if (pageSize > PAGE_SIZE_MAX) {
        throw serviceError('LWM2M_REQUEST_INVALID', `page_size is 1 to ${PAGE_SIZE_MAX}`);
      }
      const size = pageSize === 0 ? PAGE_SIZE : pageSize;
      const page = list.page(fromPageToken(pageToken), size, { kind: kindName(kind), search });
      return {
        registrations: page.devices.map(toRegistrationMessage),
        nextPageToken: page.next === undefined ? '' : toPageToken(page.next),
        total: BigInt(page.total),
      };
    },
    getRegistration: ({ endpoint }) => ({ registration: toRegistrationMessage(server.device(endpoint)) }),
    getStatistics: async () => {
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
      };
    },
  };
}

function toPageToken(endpoint: string): string {
  return Buffer.from(endpoint, 'utf8').toString('base64url');
}

function fromPageToken(token: string): string {
  const endpoint = Buffer.from(token, 'base64url').toString('utf8');
  if (toPageToken(endpoint) !== token) {
    throw serviceError('LWM2M_PAGE_TOKEN_INVALID', 'page_token is not one of this service');
  }
  return endpoint;
}
