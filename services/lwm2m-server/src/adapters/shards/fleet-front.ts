import type { management } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServiceImplementation } from '@sefleet/service';
import { toPageToken } from '../grpc/paging.ts';
import type { Shards } from './shards.ts';

type Service = ServiceImplementation<typeof management.DeviceManagementService>;
type Calls = Pick<Service, 'listRegistrations' | 'getStatistics' | 'listAuditRecords'>;
type Registration = MessageInitShape<typeof management.RegistrationSchema>;
type KindCount = MessageInitShape<typeof management.KindCountSchema>;

const PAGE_SIZE = 100;

/** Calls about all devices: the parts of all servers in one answer. */
export function fleetFront(own: Service, shards: Shards): Calls {
  return {
    listRegistrations: async (request, context) => {
      const { answers, silent } = await shards.ask(context, (client, options) =>
        client.listRegistrations(request, options),
      );
      const parts = [await own.listRegistrations(request, context), ...answers];
      const limit = request.pageSize === 0 ? PAGE_SIZE : request.pageSize;
      const merged = newest(parts.flatMap(({ registrations = [] }) => registrations));
      const page = merged.slice(0, limit);
      const isMore = merged.length > limit || parts.some(({ nextPageToken = '' }) => nextPageToken !== '');
      const last = isMore ? page.at(-1)?.endpoint : undefined;
      return {
        registrations: page,
        // Of all servers the token is the name to go on after.
        nextPageToken: last === undefined ? '' : toPageToken(last),
        total: parts.reduce((sum, { total = 0n }) => sum + total, 0n),
        silentServers: silent,
      };
    },
    getStatistics: async (request, context) => {
      const mine = await own.getStatistics(request, context);
      const { answers, silent } = await shards.ask(context, (client, options) =>
        client.getStatistics(request, options),
      );
      const parts = [mine, ...answers];
      const counters = new Map<string, bigint>();
      for (const { name = '', value = 0n } of parts.flatMap((part) => part.counters ?? [])) {
        counters.set(name, (counters.get(name) ?? 0n) + value);
      }
      return {
        // Of several servers there is no one journal: their readers begin by reading.
        eventToken: parts.length === 1 && silent === 0 ? (mine.eventToken ?? '') : '',
        silentServers: silent,
        kinds: [...sumOfKinds(parts.flatMap((part) => part.kinds ?? []))],
        counters: Array.from(counters, ([name, value]) => ({ name, value })),
        residentMemoryBytes: parts.reduce((sum, part) => sum + (part.residentMemoryBytes ?? 0n), 0n),
      };
    },
    listAuditRecords: async (request, context) => {
      const { answers } = await shards.ask(context, (client, options) =>
        client.listAuditRecords(request, options),
      );
      const parts = [await own.listAuditRecords(request, context), ...answers];
      const records = parts.flatMap((part) => part.records ?? []);
      const limit = request.pageSize === 0 ? PAGE_SIZE : request.pageSize;
      const timeOf = ({ at }: (typeof records)[number]): number =>
        Number(at?.seconds ?? 0n) * 1000 + (at?.nanos ?? 0) / 1e6;
      return { records: records.toSorted((one, other) => timeOf(other) - timeOf(one)).slice(0, limit) };
    },
  };
}

/** In the order of their names; of one that moved, and is on two servers for a while, the newer one. */
function newest(registrations: readonly Registration[]): readonly Registration[] {
  const byName = new Map<string, Registration>();
  for (const registration of registrations) {
    const { endpoint = '', updatedAt } = registration;
    const known = byName.get(endpoint);
    if (known === undefined || (updatedAt?.seconds ?? 0n) > (known.updatedAt?.seconds ?? 0n)) {
      byName.set(endpoint, registration);
    }
  }
  return [...byName]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([, registration]) => registration);
}

function sumOfKinds(parts: readonly KindCount[]): readonly KindCount[] {
  const sums = new Map<
    KindCount['kind'],
    Required<Pick<KindCount, 'bootstrapped' | 'registered' | 'sleeping'>>
  >();
  for (const { kind, bootstrapped = 0n, registered = 0n, sleeping = 0n } of parts) {
    const sum = sums.get(kind) ?? { bootstrapped: 0n, registered: 0n, sleeping: 0n };
    sums.set(kind, {
      bootstrapped: sum.bootstrapped + bootstrapped,
      registered: sum.registered + registered,
      sleeping: sum.sleeping + sleeping,
    });
  }
  return Array.from(sums, ([kind, sum]) => (kind === undefined ? sum : { kind, ...sum }));
}
