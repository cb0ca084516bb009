import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';
import type { ObjectModel, ResourceModel } from '../model/object-model.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { isMultiple, valuesEqual } from '../model/value.ts';
import type { Lwm2mValue, ResourceValue } from '../model/value.ts';
import type { ExecuteArguments } from './execute-arguments.ts';

/** Instances of one object on one device; a server that creates without end meets it as 4.00. */
const INSTANCES_MAX = 1_000;

/**
 * What an object of a device does beyond holding values. One behaviour serves every device of a fleet: it
 * gets the instance, and through it the device (`instance.owner`). Throw `lwm2mError(...)` to refuse; its
 * code decides the answer.
 */
export interface ObjectBehaviour<Owner = unknown> {
  /** A value that is computed at each read; undefined means: the stored one. */
  read?(instance: ObjectInstance<Owner>, resourceId: number): ResourceValue | undefined;
  /**
   * A write by a server or a bootstrap server, checked against the model. `handled` means: do not store it;
   * so does a promise, and the write is answered when it settles.
   */
  write?(
    instance: ObjectInstance<Owner>,
    resourceId: number,
    value: ResourceValue,
  ): 'handled' | 'store' | Promise<void>;
  /** An execute by a server; answered when what it returns has settled. */
  execute?(instance: ObjectInstance<Owner>, resourceId: number, args: ExecuteArguments): void | Promise<void>;
  /** A server or a bootstrap server has created the instance; its values are in place. */
  created?(instance: ObjectInstance<Owner>): void;
  /** The instance is about to go. */
  removed?(instance: ObjectInstance<Owner>): void;
}

/** An object as a kind of device offers it; shared by all devices of the kind. */
export interface ObjectDefinition<Owner = unknown> {
  readonly model: ObjectModel;
  /**
   * Resources that exist in every instance though nothing is stored: executable, write-only and computed
   * ones.
   */
  readonly supports?: readonly number[];
  readonly behaviour?: ObjectBehaviour<Owner>;
  /** True when servers may create and delete instances (bootstrap servers always may). Default false. */
  readonly creatable?: boolean;
}

/** Told of changes in a tree; the ids are those of the path. */
export interface TreeListener {
  valueChanged(objectId: number, instanceId: number, resourceId: number): void;
  /** An instance came or went, so that the registration has to be updated. */
  instancesChanged(objectId: number): void;
}

/** One instance of an object on one device. */
export class ObjectInstance<Owner = unknown> {
  readonly id: number;
  readonly object: Lwm2mObject<Owner>;
  /**
   * Stored values by resource id. Change them through {@link ObjectInstance.set} so that observers are told.
   */
  readonly values: Map<number, ResourceValue>;

  constructor(object: Lwm2mObject<Owner>, id: number, values: Map<number, ResourceValue>) {
    this.object = object;
    this.id = id;
    this.values = values;
  }

  /** The device. */
  get owner(): Owner {
    return this.object.tree.owner;
  }

  /** Resource ids that exist, ascending. */
  resourceIds(): readonly number[] {
    const ids = new Set(this.values.keys());
    for (const id of this.object.definition.supports ?? []) ids.add(id);
    return [...ids].sort((a, b) => a - b);
  }

  has(resourceId: number): boolean {
    return this.values.has(resourceId) || (this.object.definition.supports ?? []).includes(resourceId);
  }

  /** The present value: computed, else stored. */
  get(resourceId: number): ResourceValue | undefined {
    return this.object.definition.behaviour?.read?.(this, resourceId) ?? this.values.get(resourceId);
  }

  /** Stores a value measured or decided on the device and tells observers when it differs. */
  set(resourceId: number, value: ResourceValue): void {
    const before = this.values.get(resourceId);
    this.values.set(resourceId, value);
    if (before === undefined || !resourceValuesEqual(before, value)) this.changed(resourceId);
  }

  /** Tells observers that a resource has changed, for values that `read` computes. */
  changed(resourceId: number): void {
    this.object.tree.listener?.valueChanged(this.object.id, this.id, resourceId);
  }

  /** Removes a stored value. */
  unset(resourceId: number): void {
    if (this.values.delete(resourceId)) this.changed(resourceId);
  }

  model(resourceId: number): ResourceModel | undefined {
    return this.object.definition.model.resources.get(resourceId);
  }
}

/** One object of one device: its definition and its instances. */
export class Lwm2mObject<Owner = unknown> {
  readonly tree: ObjectTree<Owner>;
  readonly definition: ObjectDefinition<Owner>;
  readonly instances = new Map<number, ObjectInstance<Owner>>();

  constructor(tree: ObjectTree<Owner>, definition: ObjectDefinition<Owner>) {
    this.tree = tree;
    this.definition = definition;
  }

  get id(): number {
    return this.definition.model.id;
  }

  /** Instances by ascending id. */
  sorted(): readonly ObjectInstance<Owner>[] {
    const instances = [...this.instances.values()];
    return instances.length < 2 ? instances : instances.sort((a, b) => a.id - b.id);
  }

  /** The lowest id that is free. */
  freeInstanceId(): number {
    let id = 0;
    while (this.instances.has(id)) id++;
    return id;
  }

  /**
   * Adds an instance. Throws `LWM2M_CONFLICT` when it exists and `LWM2M_BAD_REQUEST` when there is no room.
   */
  add(id: number, values: Iterable<readonly [number, ResourceValue]> = []): ObjectInstance<Owner> {
    const { model } = this.definition;
    if (this.instances.has(id)) throw lwm2mError('LWM2M_CONFLICT', `instance /${this.id}/${id} exists`);
    if (this.instances.size >= (model.multiple ? INSTANCES_MAX : 1) || (!model.multiple && id !== 0)) {
      throw lwm2mError('LWM2M_BAD_REQUEST', `no room for instance /${this.id}/${id}`);
    }
    const instance = new ObjectInstance(this, id, new Map(values));
    this.instances.set(id, instance);
    this.tree.listener?.instancesChanged(this.id);
    return instance;
  }

  /** Removes an instance; false when there is none. */
  remove(id: number): boolean {
    const instance = this.instances.get(id);
    if (instance === undefined) return false;
    this.definition.behaviour?.removed?.(instance);
    this.instances.delete(id);
    this.tree.listener?.instancesChanged(this.id);
    return true;
  }
}

/**
 * The data model of one device: objects, instances, values. Definitions and models are shared between
 * devices; what a device costs is its values.
 *
 * @example
 * const tree = new ObjectTree([{ model: deviceModel, supports: [4] }], { serial: 'A-1' }, omaModels());
 * tree.require(3).add(0, [[0, 'ACME'], [11, new Map([[0, 0]])]]);
 */
export class ObjectTree<Owner = unknown> {
  readonly owner: Owner;
  readonly models: ModelRegistry;
  readonly objects = new Map<number, Lwm2mObject<Owner>>();
  listener: TreeListener | undefined;

  constructor(definitions: readonly ObjectDefinition<Owner>[], owner: Owner, models: ModelRegistry) {
    this.owner = owner;
    this.models = models;
    for (const definition of definitions) {
      this.objects.set(definition.model.id, new Lwm2mObject(this, definition));
    }
  }

  /** The object, which has to be among the definitions: else `LWM2M_NOT_FOUND`. */
  require(objectId: number): Lwm2mObject<Owner> {
    const object = this.objects.get(objectId);
    if (object === undefined) throw lwm2mError('LWM2M_NOT_FOUND', `no object /${objectId}`);
    return object;
  }

  instance(objectId: number, instanceId: number): ObjectInstance<Owner> | undefined {
    return this.objects.get(objectId)?.instances.get(instanceId);
  }

  /** Objects by ascending id. */
  sorted(): readonly Lwm2mObject<Owner>[] {
    return [...this.objects.values()].sort((a, b) => a.id - b.id);
  }

  /** The value at a resource or resource instance; undefined when there is none. */
  value(path: Lwm2mPath): ResourceValue | undefined {
    const { objectId, instanceId, resourceId, resourceInstanceId } = path;
    if (objectId === undefined || instanceId === undefined || resourceId === undefined) return undefined;
    const value = this.instance(objectId, instanceId)?.get(resourceId);
    if (value === undefined || resourceInstanceId === undefined) return value;
    return isMultiple(value) ? value.get(resourceInstanceId) : undefined;
  }
}

function resourceValuesEqual(a: ResourceValue, b: ResourceValue): boolean {
  if (!isMultiple(a) || !isMultiple(b)) return !isMultiple(a) && !isMultiple(b) && valuesEqual(a, b);
  if (a.size !== b.size) return false;
  for (const [id, value] of a) {
    const other: Lwm2mValue | undefined = b.get(id);
    if (other === undefined || !valuesEqual(value, other)) return false;
  }
  return true;
}
