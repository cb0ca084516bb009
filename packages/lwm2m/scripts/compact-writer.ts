import type { CompactObject } from '../src/model/compact-model.ts';
import type { ObjectModel, ResourceModel } from '../src/model/object-model.ts';

type CompactResource = CompactObject[5][number];

/** A definition as one JSON array. */
export function toCompact(model: ObjectModel): CompactObject {
  const resources = [...model.resources.values()].sort((a, b) => a.id - b.id).map(toCompactResource);
  return [model.id, model.name, model.version, bit(model.multiple), bit(model.mandatory), resources];
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

function bit(flag: boolean): 0 | 1 {
  return flag ? 1 : 0;
}
