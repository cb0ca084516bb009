import type { ObjectModel, ResourceModel } from './object-model.ts';
import type { Lwm2mPath } from './path.ts';

/**
 * Object definitions by id and version. Immutable once built, so that a whole fleet shares one.
 *
 * An object that it does not know is not an error: its resources are carried as the content format types
 * them, and as opaque where it has no types.
 */
export interface ModelRegistry {
  /** The object's definition; of `version`, else the newest. Undefined when it is unknown. */
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
    return known?.find((model) => model.version === version) ?? this.#fallback?.object(objectId, version);
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

/** Negative when `a` is older than `b`; `1.10` is newer than `1.9`. */
export function compareVersions(a: string, b: string): number {
  const [aMajor = 0, aMinor = 0] = a.split('.').map(Number);
  const [bMajor = 0, bMinor = 0] = b.split('.').map(Number);
  return aMajor - bMajor || aMinor - bMinor;
}
