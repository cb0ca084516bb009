/**
 * Makes data/oma-models.json. Run: node scripts/import-models.ts <folder of OMA's object registry>
 *
 * Takes every object definition of the folder and, of its `version_history`, the newest minor of each older
 * major version; of the objects of the enabler itself every version. Descriptions are left out.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModelFolder } from '../src/model/ddf.ts';
import { compareVersions } from '../src/model/model-registry.ts';
import type { ObjectModel } from '../src/model/object-model.ts';
import { toCompact } from './compact-writer.ts';

const folder = process.argv[2];
if (folder === undefined) throw new TypeError('usage: import-models.ts <folder of the registry>');
const history = join(folder, 'version_history');
const all = [
  ...(await loadModelFolder(folder)),
  ...(existsSync(history) ? await loadModelFolder(history) : []),
];
const lines = keep(all).map((model) => `  ${JSON.stringify(toCompact(model))}`);
const notice = [
  'Ids, names, types, operations, ranges and units of the objects of the OMA LwM2M registry; descriptions left out.',
  'Copyright Open Mobile Alliance and the submitters of the objects, BSD-3-Clause.',
].join(' ');
writeFileSync(
  new URL('../data/oma-models.json', import.meta.url),
  `{"notice": ${JSON.stringify(notice)},\n"objects": [\n${lines.join(',\n')}\n]}\n`,
);

/** By object and version, ascending. */
function keep(models: readonly ObjectModel[]): readonly ObjectModel[] {
  const kept = new Map<string, ObjectModel>();
  for (const model of models) {
    const isEnabler = model.id <= 7 || model.id === 21;
    const slot = isEnabler ? model.version : model.version.split('.', 1)[0];
    const key = `${model.id} ${slot}`;
    const known = kept.get(key);
    if (known === undefined || compareVersions(model.version, known.version) > 0) kept.set(key, model);
  }
  return [...kept.values()].sort((a, b) => a.id - b.id || compareVersions(a.version, b.version));
}
