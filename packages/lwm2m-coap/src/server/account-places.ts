import { linkPath, Lwm2mPath, OBJECT_ID } from '@sefleet/lwm2m';
import type { CoreLink } from '@sefleet/lwm2m';
import type { BootstrapWrite } from './bootstrap.ts';

/**
 * Moves writes of Security instances away from the bootstrap server's own account, which they would replace.
 * In a Bootstrap-Discover it is the instance of object 0 without a short server id (Core §6.1.7.5).
 */
export function placeAccounts(
  writes: readonly BootstrapWrite[],
  links: readonly CoreLink[],
): readonly BootstrapWrite[] {
  const own = links.filter(({ attributes }) => !attributes.has('ssid')).map((link) => securityInstance(link));
  const taken = new Set(own.filter((id) => id !== undefined));
  const ids = new Set(writes.map(({ path }) => securityOf(path)).filter((id) => id !== undefined));
  const moved = new Map<number, number>();
  for (const id of ids) {
    if (!taken.has(id)) continue;
    let free = 0;
    while (taken.has(free) || ids.has(free)) free++;
    taken.add(free);
    moved.set(id, free);
  }
  return moved.size === 0 ? writes : writes.map((write) => moveWrite(write, moved));
}

function moveWrite(write: BootstrapWrite, moved: ReadonlyMap<number, number>): BootstrapWrite {
  const move = (path: Lwm2mPath): Lwm2mPath => {
    const to = moved.get(securityOf(path) ?? -1);
    return to === undefined
      ? path
      : new Lwm2mPath(path.objectId, to, path.resourceId, path.resourceInstanceId);
  };
  return {
    path: move(write.path),
    entries: write.entries.map((entry) => ({ ...entry, path: move(entry.path) })),
  };
}

/** The id of a Security instance that a path names or lies in. */
function securityOf({ objectId, instanceId }: Lwm2mPath): number | undefined {
  return objectId === OBJECT_ID.SECURITY ? instanceId : undefined;
}

function securityInstance(link: CoreLink): number | undefined {
  const place = linkPath(link);
  return place === undefined || place.path.depth !== 2 ? undefined : securityOf(place.path);
}
