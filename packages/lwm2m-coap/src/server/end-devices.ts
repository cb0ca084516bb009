import { GATEWAY_OBJECT_ID, GATEWAY_RESOURCE } from '@sefleet/lwm2m';
import type { Lwm2mEntry, Lwm2mValue } from '@sefleet/lwm2m';
import type { AnnouncementTable } from './announcement-table.ts';
import type { Announcement, Registration } from './registration.ts';

/** A device behind a gateway (Gateway 1.1 §5). */
export interface EndDevice {
  /** Its name, as the gateway tells it. */
  readonly id: string;
  /** The first segment of its paths. */
  readonly prefix: string;
  readonly announcement: Announcement;
}

/** True when the device announced end devices. */
export function isGateway({ announcement }: Registration): boolean {
  const { GATEWAY } = GATEWAY_OBJECT_ID;
  return announcement.objects.some(({ path }) => path.objectId === GATEWAY && path.instanceId !== undefined);
}

/** The end devices of what was read of object 25; those without a name or a usable prefix are left out. */
export function endDevicesOf(
  entries: readonly Lwm2mEntry[],
  announcements: AnnouncementTable,
): readonly EndDevice[] {
  const instances = new Map<number, Map<number, Lwm2mValue>>();
  for (const { path, value } of entries) {
    const { instanceId, resourceId } = path;
    if (instanceId === undefined || resourceId === undefined || value === null) continue;
    const values = instances.get(instanceId) ?? new Map<number, Lwm2mValue>();
    instances.set(instanceId, values.set(resourceId, value));
  }
  return [...instances.values()].flatMap((values) => toEndDevice(values, announcements));
}

/** A path segment that is no object id. */
const PREFIX = /^[^/0-9][^/]{0,63}$/;

function toEndDevice(values: ReadonlyMap<number, Lwm2mValue>, announcements: AnnouncementTable): EndDevice[] {
  const id = values.get(GATEWAY_RESOURCE.DEVICE_ID);
  const prefix = values.get(GATEWAY_RESOURCE.PREFIX);
  const links = values.get(GATEWAY_RESOURCE.DEVICE_OBJECTS);
  if (typeof id !== 'string' || id === '' || typeof prefix !== 'string' || !PREFIX.test(prefix)) return [];
  const announcement = announcements.parse(new TextEncoder().encode(typeof links === 'string' ? links : ''));
  return [{ id, prefix, announcement }];
}
