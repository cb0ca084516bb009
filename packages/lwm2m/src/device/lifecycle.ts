import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from '../content/entry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { ACCESS, assertAllowed, disown, mayCreate, own } from './access-control.ts';
import type { Requester } from './access-control.ts';
import type { ExecuteArguments } from './execute-arguments.ts';
import type { ObjectInstance, ObjectTree } from './object-tree.ts';
import { requireInstance } from './read.ts';
import { apply, collectValues } from './write.ts';

/** Objects whose instances only bootstrap servers make or remove. */
const BOOTSTRAP_ONLY: ReadonlySet<number> = new Set([0, 21]);

/** A new instance; `done` settles when handlers that take their time have ended, undefined when none does. */
export interface CreatedInstance {
  readonly instance: ObjectInstance;
  readonly done: Promise<void> | undefined;
}

/**
 * Create (Core §6.3.6): a new instance with the given values, under the id that the entries name. The server
 * that asked becomes its owner.
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`, `LWM2M_METHOD_NOT_ALLOWED`, `LWM2M_UNAUTHORIZED`, `LWM2M_CONFLICT`,
 *   `LWM2M_BAD_REQUEST`
 */
export function createInstance(
  tree: ObjectTree,
  objectId: number,
  entries: readonly Lwm2mEntry[],
  who: Requester,
): CreatedInstance {
  const object = tree.require(objectId);
  if (who !== 'bootstrap' && (BOOTSTRAP_ONLY.has(objectId) || object.definition.creatable !== true)) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `/${objectId} takes no new instances`);
  }
  if (!mayCreate(tree, who, objectId)) {
    throw lwm2mError('LWM2M_UNAUTHORIZED', 'access control refuses the operation');
  }
  const ids = new Set(entries.map(({ path }) => path.instanceId));
  if (ids.size > 1) throw lwm2mError('LWM2M_BAD_REQUEST', 'one instance is created at a time');
  const [instanceId = object.freeInstanceId()] = ids;
  const instance = object.add(instanceId);
  let done: Promise<void> | undefined;
  try {
    // A resource that servers only read may be set when its instance is made (Core §6.3.6).
    const values = collectValues(instance, entries, 'bootstrap');
    if (who !== 'bootstrap') assertMandatory(instance, values);
    ({ done } = apply(instance, values));
  } catch (error) {
    object.instances.delete(instanceId);
    tree.listener?.instancesChanged(objectId);
    throw error;
  }
  own(tree, who, objectId, instanceId);
  object.definition.behaviour?.created?.(instance);
  return { instance, done };
}

/**
 * Delete (Core §6.3.7): removes an instance.
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`, `LWM2M_METHOD_NOT_ALLOWED`, `LWM2M_UNAUTHORIZED`
 */
export function deleteInstance(tree: ObjectTree, path: Lwm2mPath, who: Requester): void {
  if (path.depth === 4) {
    deleteResourceInstance(tree, path, who);
    return;
  }
  if (path.depth !== 2) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} cannot be deleted`);
  const instance = requireInstance(tree, path);
  const { object } = instance;
  assertAllowed(tree, who, ACCESS.DELETE, object.id, instance.id);
  if (who !== 'bootstrap' && (BOOTSTRAP_ONLY.has(object.id) || object.definition.creatable !== true)) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} cannot be deleted`);
  }
  object.remove(instance.id);
  disown(tree, object.id, instance.id);
}

/** LwM2M 1.2 §6.3.7: one resource instance of a writable multiple resource. */
function deleteResourceInstance(tree: ObjectTree, path: Lwm2mPath, who: Requester): void {
  const instance = requireInstance(tree, path);
  assertAllowed(tree, who, ACCESS.DELETE, instance.object.id, instance.id);
  const { resourceId = 0, resourceInstanceId = 0 } = path;
  if (instance.model(resourceId)?.operations.write !== true) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} cannot be deleted`);
  }
  const value = instance.get(resourceId);
  if (!(value instanceof Map) || !value.has(resourceInstanceId)) {
    throw lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
  }
  const left = new Map(value);
  left.delete(resourceInstanceId);
  instance.set(resourceId, left);
}

/**
 * Execute (Core §6.3.5).
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`, `LWM2M_METHOD_NOT_ALLOWED`, `LWM2M_UNAUTHORIZED`, and what the
 * handler throws
 */
export function executeResource(
  tree: ObjectTree,
  path: Lwm2mPath,
  args: ExecuteArguments,
  who: Requester,
): void | Promise<void> {
  const { resourceId } = path;
  if (path.depth !== 3 || resourceId === undefined) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} is not executable`);
  }
  const instance = requireInstance(tree, path);
  assertAllowed(tree, who, ACCESS.EXECUTE, instance.object.id, instance.id);
  const model = instance.model(resourceId);
  if (!instance.has(resourceId)) throw lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
  const { behaviour } = instance.object.definition;
  if (model?.operations.execute === false || behaviour?.execute === undefined) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} is not executable`);
  }
  return behaviour.execute(instance, resourceId, args);
}

function assertMandatory(instance: ObjectInstance, values: ReadonlyMap<number, unknown>): void {
  for (const model of instance.object.definition.model.resources.values()) {
    const { write } = model.operations;
    if (model.mandatory && write && !values.has(model.id) && !instance.has(model.id)) {
      throw lwm2mError('LWM2M_BAD_REQUEST', `mandatory resource ${model.id} is missing`);
    }
  }
}
