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

/** A definition as one JSON array. */
export function toCompact(model: ObjectModel): CompactObject {
  const resources = [...model.resources.values()].sort((a, b) => a.id - b.id).map(toCompactResource);
  return [model.id, model.name, model.version, bit(model.multiple), bit(model.mandatory), resources];
}

/** A definition from its JSON array. */
export function fromCompact([id, name, version, multiple, mandatory, items]: CompactObject): ObjectModel {
  const resources = new Map(items.map((item) => [item[0], fromCompactResource(item)]));
  return { id, name, version, multiple: multiple === 1, mandatory: mandatory === 1, resources };
}

function toCompactResource(model: ResourceModel): CompactResource {
  const { read, write, execute } = model.operations;
  const letters = `${read ? 'R' : ''}${write ? 'W' : ''}${execute ? 'E' : ''}`;
  const head = [
    model.id,
    model.name,
    letters,
    model.type,
    bit(model.multiple),
    bit(model.mandatory),
  ] as const;
  if (model.range !== undefined) return [...head, model.units ?? '', model.range.min, model.range.max];
  return model.units === undefined ? head : [...head, model.units];
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

function bit(flag: boolean): 0 | 1 {
  return flag ? 1 : 0;
}
