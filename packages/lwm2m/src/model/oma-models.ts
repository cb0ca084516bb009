import { readFileSync } from 'node:fs';
import { fromCompact } from './compact-model.ts';
import type { CompactObject } from './compact-model.ts';
import { compareVersions, pickVersion } from './model-registry.ts';
import type { ModelRegistry } from './model-registry.ts';
import type { ObjectModel, ResourceModel } from './object-model.ts';
import type { Lwm2mPath } from './path.ts';

/**
 * The objects of OMA's registry, from data/oma-models.json (its notice tells the sources and licences).
 *
 * A definition is unfolded when it is first asked for; the registry is made once a process.
 *
 * @example omaModels().object(3)?.name // 'Device'
 */
export function omaModels(): ModelRegistry {
  registry ??= new OmaRegistry();
  return registry;
}

let registry: OmaRegistry | undefined;

class OmaRegistry implements ModelRegistry {
  readonly #compact = new Map<number, CompactObject[]>();
  readonly #models = new Map<CompactObject, ObjectModel>();

  constructor() {
    const file = new URL('../../data/oma-models.json', import.meta.url);
    // The file is ours and made by scripts/import-models.ts; a test reads every line of it.
    const { objects } = JSON.parse(readFileSync(file, 'utf8')) as { objects: CompactObject[] };
    for (const object of objects) {
      const versions = this.#compact.get(object[0]) ?? [];
      versions.push(object);
      versions.sort((a, b) => compareVersions(b[2], a[2]));
      this.#compact.set(object[0], versions);
    }
  }

  object(objectId: number, version?: string): ObjectModel | undefined {
    const versions = this.#compact.get(objectId);
    const compact =
      version === undefined ? versions?.[0] : pickVersion(versions ?? [], version, (item) => item[2]);
    if (compact === undefined) return undefined;
    let model = this.#models.get(compact);
    if (model === undefined) {
      model = fromCompact(compact);
      this.#models.set(compact, model);
    }
    return model;
  }

  resource(path: Lwm2mPath): ResourceModel | undefined {
    if (path.objectId === undefined || path.resourceId === undefined) return undefined;
    return this.object(path.objectId)?.resources.get(path.resourceId);
  }

  *objects(): Iterable<ObjectModel> {
    for (const id of [...this.#compact.keys()].sort((a, b) => a - b)) {
      const model = this.object(id);
      if (model !== undefined) yield model;
    }
  }
}
