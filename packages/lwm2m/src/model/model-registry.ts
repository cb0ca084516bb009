import type { ObjectModel, ResourceModel } from './object-model.ts';
import type { Lwm2mPath } from './path.ts';

/**
 * Object definitions by id and version. Immutable once built, so that a whole fleet shares one.
 *
 * An object that it does not know is not an error: its resources are carried as the content format types
 * them, and as opaque where it has no types.
 */
export interface ModelRegistry {
  /**
   * The object's definition: the newest, or the one of `version`; when that is unknown, the newest of the same
   * major version, which only adds to it (Core §7.2.2). Undefined when there is none.
   */
  object(objectId: number, version?: string): ObjectModel | undefined;
  /** The definition of the resource that `path` names or lies in. */
  resource(path: Lwm2mPath): ResourceModel | undefined;
  /** Every object, newest version only, by ascending id. */
  objects(): Iterable<ObjectModel>;
}

/** A registry of the given definitions; what `fallback` knows is known too, and `models` win. */
export function createModelRegistry(models: Iterable<ObjectModel>, fallback?: ModelRegistry): ModelRegistry {
  return new ObjectModelTable(models, fallback);
}

class ObjectModelTable implements ModelRegistry {
  readonly #versions = new Map<number, ObjectModel[]>();
  readonly #fallback: ModelRegistry | undefined;

  constructor(models: Iterable<ObjectModel>, fallback: ModelRegistry | undefined) {
    this.#fallback = fallback;
    for (const model of models) {
      const known = (this.#versions.get(model.id) ?? []).filter((other) => other.version !== model.version);
      known.push(model);
      known.sort((a, b) => compareVersions(b.version, a.version));
      this.#versions.set(model.id, known);
    }
  }

  object(objectId: number, version?: string): ObjectModel | undefined {
    const known = this.#versions.get(objectId);
    if (version === undefined) return known?.[0] ?? this.#fallback?.object(objectId);
    const own = pickVersion(known ?? [], version, (model) => model.version);
    return own ?? this.#fallback?.object(objectId, version);
  }

  resource(path: Lwm2mPath): ResourceModel | undefined {
    if (path.objectId === undefined || path.resourceId === undefined) return undefined;
    return this.object(path.objectId)?.resources.get(path.resourceId);
  }

  *objects(): Iterable<ObjectModel> {
    const byId = new Map<number, ObjectModel>();
    for (const model of this.#fallback?.objects() ?? []) byId.set(model.id, model);
    for (const [id, [newest]] of this.#versions) if (newest !== undefined) byId.set(id, newest);
    yield* [...byId.values()].sort((a, b) => a.id - b.id);
  }
}

/**
 * Of definitions of one object, newest first: that of `version`, else the newest with the same major version.
 */
export function pickVersion<T>(
  newestFirst: readonly T[],
  version: string,
  versionOf: (definition: T) => string,
): T | undefined {
  const [major] = version.split('.', 1);
  return (
    newestFirst.find((definition) => versionOf(definition) === version) ??
    newestFirst.find((definition) => versionOf(definition).split('.', 1)[0] === major)
  );
}

/**
 * The registry as one device needs it: objects that the device has in another major version than the newest
 * are defined as that version has them, and not at all when nobody knows that version.
 *
 * @param versions by object id, as the device announced them; an object without one has version 1.0
 */
export function modelsForVersions(
  models: ModelRegistry,
  versions: ReadonlyMap<number, string>,
): ModelRegistry {
  const others = new Map<number, ObjectModel | undefined>();
  for (const [objectId, version] of versions) {
    const newest = models.object(objectId);
    const [major] = version.split('.', 1);
    if (newest === undefined || newest.version.split('.', 1)[0] === major) continue;
    others.set(objectId, models.object(objectId, version));
  }
  return others.size === 0 ? models : new VersionedModels(models, others);
}

class VersionedModels implements ModelRegistry {
  readonly #models: ModelRegistry;
  readonly #others: ReadonlyMap<number, ObjectModel | undefined>;

  constructor(models: ModelRegistry, others: ReadonlyMap<number, ObjectModel | undefined>) {
    this.#models = models;
    this.#others = others;
  }

  object(objectId: number, version?: string): ObjectModel | undefined {
    if (version === undefined && this.#others.has(objectId)) return this.#others.get(objectId);
    return this.#models.object(objectId, version);
  }

  resource(path: Lwm2mPath): ResourceModel | undefined {
    if (path.objectId === undefined || path.resourceId === undefined) return undefined;
    return this.object(path.objectId)?.resources.get(path.resourceId);
  }

  *objects(): Iterable<ObjectModel> {
    for (const model of this.#models.objects()) {
      const own = this.object(model.id);
      if (own !== undefined) yield own;
    }
  }
}

/** Negative when `a` is older than `b`; `1.10` is newer than `1.9`. */
export function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}
