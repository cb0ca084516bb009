import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from '../content/entry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { fitsType, isMultiple } from '../model/value.ts';
import type { Lwm2mValue, ResourceValue } from '../model/value.ts';
import { ACCESS, assertAllowed } from './access-control.ts';
import type { Requester } from './access-control.ts';
import type { ObjectInstance, ObjectTree } from './object-tree.ts';
import { requireInstance } from './read.ts';

/** Values to write into one instance, by resource id; resource instances of a multiple resource as a map. */
export type InstanceValues = Map<number, ResourceValue>;

/**
 * Write (Core §6.3.3) to an instance, a resource or a resource instance. `replace` puts the given in the
 * place of what was there (of a whole instance: its writable resources); `update` adds and overwrites. All is
 * checked before any is applied, and undone when a handler refuses.
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`, `LWM2M_METHOD_NOT_ALLOWED`, `LWM2M_UNAUTHORIZED`,
 * `LWM2M_BAD_REQUEST`
 */
export function writeEntries(
  tree: ObjectTree,
  path: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  mode: 'replace' | 'update',
  who: Requester,
): Promise<void> | undefined {
  if (path.depth < 2) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} is not writable`);
  const instance = requireInstance(tree, path);
  assertAllowed(tree, who, ACCESS.WRITE, instance.object.id, instance.id);
  if (path.depth === 2) {
    const values = collectValues(instance, entries, who);
    return apply(instance, mode === 'replace' ? withRemovals(instance, values) : merged(instance, values))
      .done;
  }
  assertWritable(instance, path, who);
  const values = collectValues(instance, entries, who);
  return apply(instance, path.depth === 4 || mode === 'update' ? merged(instance, values) : values).done;
}

/**
 * Write-Composite (Core §6.3.3.2): writes values at several places, all or nothing. A null value removes a
 * resource instance.
 *
 * @throws as {@link writeEntries}
 */
export function writeComposite(
  tree: ObjectTree,
  entries: readonly Lwm2mEntry[],
  who: Requester,
): Promise<void> | undefined {
  const groups = new Map<ObjectInstance, Lwm2mEntry[]>();
  for (const entry of entries) {
    if (entry.path.depth < 3) throw lwm2mError('LWM2M_BAD_REQUEST', 'composite writes name resources');
    const instance = requireInstance(tree, entry.path);
    assertAllowed(tree, who, ACCESS.WRITE, instance.object.id, instance.id);
    const group = groups.get(instance);
    if (group === undefined) groups.set(instance, [entry]);
    else group.push(entry);
  }
  const plans = [...groups].map(([instance, group]) => {
    const writes = group.filter(({ value }) => value !== null);
    const plan = merged(instance, collectValues(instance, writes, who));
    for (const { path, value } of group) if (value === null) planRemoval(instance, plan, path);
    return { instance, plan };
  });
  const applied: Applied[] = [];
  try {
    for (const { instance, plan } of plans) applied.push(apply(instance, plan));
  } catch (error) {
    for (const { undo } of applied.reverse()) undo();
    throw error;
  }
  return allDone(applied.map(({ done }) => done));
}

/** Checks entries of one instance against the model and sorts them by resource. */
export function collectValues(
  instance: ObjectInstance,
  entries: readonly Lwm2mEntry[],
  who: Requester,
): InstanceValues {
  const values: InstanceValues = new Map();
  for (const { path, value } of entries) {
    const { resourceId, resourceInstanceId } = path;
    if (resourceId === undefined) continue;
    assertWritable(instance, path, who);
    const multiple = instance.model(resourceId)?.multiple ?? resourceInstanceId !== undefined;
    if (value !== null && multiple !== (resourceInstanceId !== undefined)) {
      throw lwm2mError(
        'LWM2M_BAD_REQUEST',
        `${path.toString()} is ${multiple ? 'a multiple' : 'a single'} resource`,
      );
    }
    if (!multiple) {
      if (value === null) throw lwm2mError('LWM2M_BAD_REQUEST', `no value for ${path.toString()}`);
      checkValue(instance, path, value);
      values.set(resourceId, value);
      continue;
    }
    const known = values.get(resourceId);
    const map: Map<number, Lwm2mValue> =
      known !== undefined && isMultiple(known) ? new Map(known) : new Map();
    if (value !== null && resourceInstanceId !== undefined) {
      checkValue(instance, path, value);
      map.set(resourceInstanceId, value);
    }
    values.set(resourceId, map);
  }
  return values;
}

/** What came of applying values. */
interface Applied {
  readonly undo: () => void;
  /** Settles when handlers that take their time have ended; undefined when none does. */
  readonly done: Promise<void> | undefined;
}

/** Applies values that were checked, telling handlers and observers. */
export function apply(instance: ObjectInstance, values: InstanceValues | Removals): Applied {
  const before = new Map(instance.values);
  const undo = (): void => {
    instance.values.clear();
    for (const [id, value] of before) instance.values.set(id, value);
  };
  const { behaviour } = instance.object.definition;
  const pending: (Promise<void> | undefined)[] = [];
  try {
    for (const [resourceId, value] of values) {
      if (value === undefined) instance.unset(resourceId);
      else {
        const outcome = behaviour?.write?.(instance, resourceId, value) ?? 'store';
        if (outcome === 'store') instance.set(resourceId, value);
        else if (outcome !== 'handled') pending.push(outcome);
      }
    }
  } catch (error) {
    undo();
    throw error;
  }
  return { undo, done: allDone(pending) };
}

function allDone(pending: readonly (Promise<void> | undefined)[]): Promise<void> | undefined {
  const open = pending.filter((promise) => promise !== undefined);
  return open.length === 0 ? undefined : Promise.all(open).then(() => undefined);
}

/** As {@link InstanceValues}; undefined removes a resource. */
type Removals = Map<number, ResourceValue | undefined>;

/** Replacing an instance drops the optional, writable resources that are not given. */
function withRemovals(instance: ObjectInstance, values: InstanceValues): Removals {
  const plan: Removals = new Map();
  for (const resourceId of instance.values.keys()) {
    const model = instance.model(resourceId);
    if (model !== undefined && model.operations.write && !model.mandatory) plan.set(resourceId, undefined);
  }
  for (const [resourceId, value] of values) plan.set(resourceId, value);
  return plan;
}

/** Updating a multiple resource keeps the resource instances that are not given. */
function merged(instance: ObjectInstance, values: InstanceValues): Removals {
  const plan: Removals = new Map();
  for (const [resourceId, value] of values) {
    const known = isMultiple(value) ? instance.get(resourceId) : undefined;
    const both = isMultiple(value) && known !== undefined && isMultiple(known);
    plan.set(resourceId, both ? new Map([...known, ...value]) : value);
  }
  return plan;
}

function planRemoval(instance: ObjectInstance, plan: Removals, path: Lwm2mPath): void {
  const { resourceId, resourceInstanceId } = path;
  if (resourceId === undefined || resourceInstanceId === undefined) {
    throw lwm2mError('LWM2M_BAD_REQUEST', 'only resource instances are removed by a write');
  }
  assertWritable(instance, path, 0);
  const value = plan.get(resourceId) ?? instance.get(resourceId);
  if (value === undefined || !isMultiple(value) || !value.has(resourceInstanceId)) {
    throw lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
  }
  const left = new Map(value);
  left.delete(resourceInstanceId);
  plan.set(resourceId, left);
}

function assertWritable(instance: ObjectInstance, path: Lwm2mPath, who: Requester): void {
  const { resourceId } = path;
  if (resourceId === undefined) return;
  const model = instance.model(resourceId);
  if (model === undefined && !instance.has(resourceId)) {
    throw lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
  }
  // Core §6.1.7.3: a bootstrap server writes whatever is no command, the Security object above all.
  const writable =
    who === 'bootstrap' ? model?.operations.execute !== true : model?.operations.write !== false;
  if (!writable) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} is not writable`);
}

function checkValue(instance: ObjectInstance, path: Lwm2mPath, value: Lwm2mValue): void {
  const model = path.resourceId === undefined ? undefined : instance.model(path.resourceId);
  if (model === undefined) return;
  if (!fitsType(value, model.type)) {
    throw lwm2mError('LWM2M_BAD_REQUEST', `${path.toString()} takes a ${model.type}`);
  }
  const { range } = model;
  if (range !== undefined && typeof value === 'number' && (value < range.min || value > range.max)) {
    throw lwm2mError('LWM2M_BAD_REQUEST', `${path.toString()} takes ${range.min} to ${range.max}`);
  }
}
