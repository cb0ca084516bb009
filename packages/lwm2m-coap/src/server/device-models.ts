import { modelsForVersions } from '@sefleet/lwm2m';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { Announcement } from './registration.ts';

/** Core §7.2.2: an object that is announced without a version has this one. */
const VERSION_DEFAULT = '1.0';

/** Object definitions in the versions that devices announce; devices that announce the same share them. */
export class DeviceModels {
  readonly all: ModelRegistry;
  readonly #byAnnouncement = new WeakMap<Announcement, ModelRegistry>();

  constructor(all: ModelRegistry) {
    this.all = all;
  }

  of(announcement: Announcement): ModelRegistry {
    let models = this.#byAnnouncement.get(announcement);
    if (models === undefined) {
      models = modelsForVersions(this.all, versionsOf(announcement));
      this.#byAnnouncement.set(announcement, models);
    }
    return models;
  }
}

/** The version stands on the link of the object, which comes beside those of its instances. */
function versionsOf({ objects }: Announcement): ReadonlyMap<number, string> {
  const versions = new Map<number, string>();
  for (const { path, version, prefix } of objects) {
    const { objectId } = path;
    if (objectId === undefined || prefix !== undefined) continue;
    versions.set(objectId, version ?? versions.get(objectId) ?? VERSION_DEFAULT);
  }
  return versions;
}
