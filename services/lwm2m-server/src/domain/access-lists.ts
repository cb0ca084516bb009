import { Lwm2mPath, OBJECT_ID } from '@sefleet/lwm2m';
import type { CoreLink, Lwm2mEntry } from '@sefleet/lwm2m';
import type { BootstrapWrite } from '@sefleet/lwm2m-coap';

/** A server account, as far as rights are concerned. */
export interface AccountOwner {
  readonly shortServerId: number;
  readonly serverInstance: number;
}

interface Owned {
  readonly objectId: number;
  readonly instanceId: number;
  readonly owner: number;
}

const RESOURCE = { OBJECT: 0, INSTANCE: 1, OWNER: 3 } as const;
/** Objects whose access no list decides (LwM2M Core §8.2); accounts are listed apart. */
const NOT_LISTED: ReadonlySet<number | undefined> = new Set([
  OBJECT_ID.SECURITY,
  OBJECT_ID.SERVER,
  OBJECT_ID.ACCESS_CONTROL,
  OBJECT_ID.OSCORE,
]);

/**
 * Access Control (object 2) for a device with several servers: what the device has belongs to the one that
 * runs the network, an account to its own server. The others may send for nothing and ask for nothing; what
 * the device sends them is its own choice.
 *
 * @param links what the device told of its objects
 */
export function accessLists(
  network: AccountOwner,
  others: readonly AccountOwner[],
  links: readonly CoreLink[],
): readonly BootstrapWrite[] {
  const owned = [network, ...others].map(({ shortServerId, serverInstance }): Owned => {
    return { objectId: OBJECT_ID.SERVER, instanceId: serverInstance, owner: shortServerId };
  });
  for (const { target } of links) {
    const { objectId, instanceId } = pathOf(target);
    if (objectId === undefined || instanceId === undefined || NOT_LISTED.has(objectId)) continue;
    owned.push({ objectId, instanceId, owner: network.shortServerId });
  }
  const root = new Lwm2mPath(OBJECT_ID.ACCESS_CONTROL);
  const entries = owned.flatMap(({ objectId, instanceId, owner }, id): Lwm2mEntry[] => {
    const path = root.child(id);
    return [
      { path: path.child(RESOURCE.OBJECT), value: objectId },
      { path: path.child(RESOURCE.INSTANCE), value: instanceId },
      { path: path.child(RESOURCE.OWNER), value: owner },
    ];
  });
  return [{ path: root, entries }];
}

/** Instances alone: what is behind a prefix belongs to an end device, which has no servers. */
function pathOf(target: string): { readonly objectId?: number; readonly instanceId?: number } {
  const [, objectId, instanceId] = /^\/(\d{1,5})\/(\d{1,5})$/.exec(target) ?? [];
  if (objectId === undefined) return {};
  return { objectId: Number(objectId), instanceId: Number(instanceId) };
}
