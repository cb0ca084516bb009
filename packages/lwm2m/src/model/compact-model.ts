import { parseOperations } from './object-model.ts';
import type { ObjectModel, ResourceModel } from './object-model.ts';
import type { ResourceType } from './value.ts';

/** A resource in data/oma-models.json: id, name, operations, type, multiple, mandatory, units, range. */
type CompactResource = readonly [
  id: number,
  name: string,
  operations: string,
  type: ResourceType,
  multiple: 0 | 1,
  mandatory: 0 | 1,
  units?: string,
  min?: number,
  max?: number,
];

/** An object in data/oma-models.json: id, name, version, multiple, mandatory, resources. */
export type CompactObject = readonly [
  id: number,
  name: string,
  version: string,
  multiple: 0 | 1,
  mandatory: 0 | 1,
  resources: readonly CompactResource[],
];

/** A definition from its JSON array. */
export function fromCompact([id, name, version, multiple, mandatory, items]: CompactObject): ObjectModel {
  const resources = new Map(items.map((item) => [item[0], fromCompactResource(item)]));
  return { id, name, version, multiple: multiple === 1, mandatory: mandatory === 1, resources };
}

function fromCompactResource(item: CompactResource): ResourceModel {
  const [id, name, letters, type, multiple, mandatory, units = '', min, max] = item;
  return {
    id,
    name,
    type,
    operations: parseOperations(letters),
    multiple: multiple === 1,
    mandatory: mandatory === 1,
    ...(units === '' ? {} : { units }),
    ...(min === undefined || max === undefined ? {} : { range: { min, max } }),
  };
}
