import { bootstrapAccount, OBJECT_ID, SECURITY_RESOURCE, serverAccounts } from '../accounts/accounts.ts';
import type { Lwm2mEntry } from '../content/entry.ts';
import type { ObjectTree } from '../device/object-tree.ts';
import { writeEntries } from '../device/write.ts';
import { createInstance } from '../device/lifecycle.ts';
import { lwm2mError } from '../errors.ts';
import { Lwm2mPath } from '../model/path.ts';
import type { ResourceValue } from '../model/value.ts';

/**
 * Bootstrap-Delete (Core §6.1.7.6): `/` or an object clears instances, an instance goes alone. The account of
 * the bootstrap server itself and the Device object always stay.
 *
 * @throws SefleetError `LWM2M_BAD_REQUEST` when exactly the undeletable is named, `LWM2M_NOT_FOUND`,
 *   `LWM2M_METHOD_NOT_ALLOWED` below an instance
 */
export function bootstrapDelete(tree: ObjectTree, path: Lwm2mPath): void {
  if (path.depth > 2) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'only objects and instances are deleted');
  const { objectId, instanceId } = path;
  if (objectId !== undefined && instanceId !== undefined) {
    const object = tree.require(objectId);
    if (!object.instances.has(instanceId))
      throw lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
    if (isProtected(tree, objectId, instanceId)) {
      throw lwm2mError('LWM2M_BAD_REQUEST', `${path.toString()} cannot be deleted`);
    }
    object.remove(instanceId);
    return;
  }
  const objects = objectId === undefined ? tree.sorted() : [tree.require(objectId)];
  for (const object of objects) {
    for (const { id } of object.sorted()) if (!isProtected(tree, object.id, id)) object.remove(id);
  }
}

/**
 * Bootstrap-Write (Core §6.1.7.3): to a resource, an instance or a whole object; what does not exist is made,
 * and an instance that exists is overwritten.
 *
 * @throws SefleetError as `writeEntries` and `createInstance`
 */
export function bootstrapWrite(
  tree: ObjectTree,
  path: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
): Promise<void> | undefined {
  if (path.objectId === undefined) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the root is not written');
  tree.require(path.objectId);
  const pending: Promise<void>[] = [];
  for (const [instanceId, group] of byInstance(path, entries)) {
    const place = new Lwm2mPath(path.objectId, instanceId);
    const target = path.depth >= 3 ? path : place;
    const exists = tree.instance(path.objectId, instanceId) !== undefined;
    const done = exists
      ? writeEntries(tree, target, group, 'update', 'bootstrap')
      : createInstance(tree, path.objectId, atLeast(place, group), 'bootstrap').done;
    if (done !== undefined) pending.push(done);
  }
  return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined);
}

/**
 * Bootstrap-Finish (Core §6.1.7.7): undefined when the accounts make sense, else what is wrong.
 */
export function bootstrapFault(tree: ObjectTree): string | undefined {
  const seen = new Set<ResourceValue>();
  for (const instance of tree.objects.get(OBJECT_ID.SECURITY)?.instances.values() ?? []) {
    if (instance.get(SECURITY_RESOURCE.BOOTSTRAP_SERVER) === true) continue;
    const id = instance.get(SECURITY_RESOURCE.SHORT_SERVER_ID);
    if (id === undefined) return `security account /0/${instance.id} has no short server id`;
    if (seen.has(id)) return `short server id of /0/${instance.id} is not unique`;
    seen.add(id);
  }
  const accounts = serverAccounts(tree);
  if (accounts.length === 0) return 'no server account is complete';
  const servers = tree.objects.get(OBJECT_ID.SERVER)?.instances.size ?? 0;
  return accounts.length < servers ? 'a server account has no security account' : undefined;
}

/** A copy of all stored values, to return to when a bootstrap fails midway. */
export function snapshotTree(tree: ObjectTree): () => void {
  const saved = [...tree.objects.values()].map((object) => ({
    object,
    instances: [...object.instances.values()].map(({ id, values }) => ({ id, values: new Map(values) })),
  }));
  return () => {
    for (const { object, instances } of saved) {
      const ids = new Set(instances.map(({ id }) => id));
      for (const id of object.instances.keys()) if (!ids.has(id)) object.remove(id);
      for (const { id, values } of instances) {
        const instance = object.instances.get(id) ?? object.add(id);
        instance.values.clear();
        for (const [resourceId, value] of values) instance.values.set(resourceId, value);
      }
    }
  };
}

function isProtected(tree: ObjectTree, objectId: number, instanceId: number): boolean {
  if (objectId === OBJECT_ID.DEVICE) return true;
  return objectId === OBJECT_ID.SECURITY && bootstrapAccount(tree)?.instanceId === instanceId;
}

function byInstance(
  path: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
): ReadonlyMap<number, readonly Lwm2mEntry[]> {
  const groups = new Map<number, Lwm2mEntry[]>();
  if (path.instanceId !== undefined) groups.set(path.instanceId, []);
  for (const entry of entries) {
    const { instanceId } = entry.path;
    if (instanceId === undefined) continue;
    const group = groups.get(instanceId);
    if (group === undefined) groups.set(instanceId, [entry]);
    else group.push(entry);
  }
  return groups;
}

/** The entries, or one that names the instance when there is nothing to put into it. */
function atLeast(place: Lwm2mPath, entries: readonly Lwm2mEntry[]): readonly Lwm2mEntry[] {
  return entries.length > 0 ? entries : [{ path: place, value: null }];
}
