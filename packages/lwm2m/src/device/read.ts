import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from '../content/entry.ts';
import { Lwm2mPath } from '../model/path.ts';
import { isMultiple } from '../model/value.ts';
import type { ResourceValue } from '../model/value.ts';
import { ACCESS, assertAllowed, isAllowed } from './access-control.ts';
import type { Requester } from './access-control.ts';
import type { Lwm2mObject, ObjectInstance, ObjectTree } from './object-tree.ts';

/**
 * Read (Core §6.3.1): the entries at or below `path`. An object yields the instances that `who` may read and
 * an instance the resources that are readable; a single resource that is not readable is refused.
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`, `LWM2M_METHOD_NOT_ALLOWED`, `LWM2M_UNAUTHORIZED`,
 * `LWM2M_BAD_REQUEST`
 */
export function readEntries(tree: ObjectTree, path: Lwm2mPath, who: Requester): readonly Lwm2mEntry[] {
  const { objectId, instanceId } = path;
  if (objectId === undefined) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the root is not readable');
  if (instanceId === undefined) return readObject(tree.require(objectId), who);
  const instance = requireInstance(tree, path);
  assertAllowed(tree, who, ACCESS.READ, objectId, instanceId);
  const entries: Lwm2mEntry[] = [];
  if (path.resourceId === undefined) readInstance(instance, who, entries);
  else readResource(instance, path, who, entries);
  return entries;
}

/**
 * Read-Composite (Core §6.3.1.2): what can be read of `paths`; what does not exist or is not allowed is left
 * out. The root stands for everything.
 */
export function readComposite(
  tree: ObjectTree,
  paths: readonly Lwm2mPath[],
  who: Requester,
): readonly Lwm2mEntry[] {
  const byPath = new Map<string, Lwm2mEntry>();
  for (const path of expandRoot(tree, paths)) {
    try {
      for (const entry of readEntries(tree, path, who)) byPath.set(entry.path.toString(), entry);
    } catch {
      // Core §6.3.1.2: a path that cannot be read has no entry in the answer.
    }
  }
  return [...byPath.values()];
}

function expandRoot(tree: ObjectTree, paths: readonly Lwm2mPath[]): readonly Lwm2mPath[] {
  if (!paths.some((path) => path.depth === 0)) return paths;
  return tree.sorted().map((object) => new Lwm2mPath(object.id));
}

/** The instance that `path` names or lies in; throws `LWM2M_NOT_FOUND`. */
export function requireInstance(tree: ObjectTree, path: Lwm2mPath): ObjectInstance {
  const { objectId, instanceId } = path;
  const instance =
    objectId === undefined || instanceId === undefined ? undefined : tree.instance(objectId, instanceId);
  if (instance === undefined) throw notFound(path);
  return instance;
}

function readObject(object: Lwm2mObject, who: Requester): readonly Lwm2mEntry[] {
  const entries: Lwm2mEntry[] = [];
  const instances = object
    .sorted()
    .filter(({ id }) => isAllowed(object.tree, who, ACCESS.READ, object.id, id));
  if (instances.length === 0 && object.instances.size > 0) {
    throw lwm2mError('LWM2M_UNAUTHORIZED', 'access control refuses every instance');
  }
  for (const instance of instances) readInstance(instance, who, entries);
  return entries;
}

function readInstance(instance: ObjectInstance, who: Requester, entries: Lwm2mEntry[]): void {
  const before = entries.length;
  const path = new Lwm2mPath(instance.object.id, instance.id);
  for (const resourceId of instance.resourceIds()) {
    if (!isReadable(instance, resourceId, who)) continue;
    const value = instance.get(resourceId);
    if (value !== undefined) pushValue(path.child(resourceId), value, entries);
  }
  if (entries.length === before) entries.push({ path, value: null });
}

function readResource(
  instance: ObjectInstance,
  path: Lwm2mPath,
  who: Requester,
  entries: Lwm2mEntry[],
): void {
  const { resourceId, resourceInstanceId } = path;
  if (resourceId === undefined || !instance.has(resourceId)) throw notFound(path);
  if (!isReadable(instance, resourceId, who)) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} is not readable`);
  }
  const value = instance.get(resourceId);
  if (value === undefined) throw notFound(path);
  if (resourceInstanceId === undefined) {
    pushValue(path, value, entries);
    return;
  }
  const single = isMultiple(value) ? value.get(resourceInstanceId) : undefined;
  if (single === undefined) throw notFound(path);
  entries.push({ path, value: single });
}

/**
 * Bootstrap servers read what the model gives no operations at all, such as the Security object (Core
 * §6.1.7.4).
 */
function isReadable(instance: ObjectInstance, resourceId: number, who: Requester): boolean {
  const model = instance.model(resourceId);
  if (model === undefined || model.operations.read) return true;
  return who === 'bootstrap' && !model.operations.execute && !model.operations.write;
}

function pushValue(path: Lwm2mPath, value: ResourceValue, entries: Lwm2mEntry[]): void {
  if (!isMultiple(value)) entries.push({ path, value });
  else if (value.size === 0) entries.push({ path, value: null });
  else for (const [id, single] of value) entries.push({ path: path.child(id), value: single });
}

function notFound(path: Lwm2mPath): Error {
  return lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
}
