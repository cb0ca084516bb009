/**
 * Makes data/oma-models.json. Run: node scripts/import-models.ts <folder with OMA's XML files>
 *
 * The objects of the enabler itself (0 to 7, 21) come from XML files; all others from the npm package
 * @nordicsemiconductor/lwm2m-types, which carries names, types, ranges and units of the registry but no
 * operations and no executable resources; those come from operations.json, written by hand from the registry.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadModelFolder } from '../src/model/ddf.ts';
import type { ObjectModel, ResourceModel } from '../src/model/object-model.ts';
import type { ResourceType } from '../src/model/value.ts';
import { parseOperations } from '../src/model/object-model.ts';
import { toCompact } from './compact-writer.ts';

interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly items?: Schema;
  readonly properties?: Record<string, Schema>;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly unixTimestamp?: boolean;
}
interface Operations {
  /** By reusable resource id: operations, then optionally `:type` where the schema cannot tell. */
  readonly reusable: Record<string, string>;
  /**
   * By object id: by resource id, `operations[:type[:name]]`; `*` is the rule for the object's other
   * resources.
   */
  readonly objects: Record<string, Record<string, string>>;
}

const folder = process.argv[2];
if (folder === undefined) throw new TypeError('usage: import-models.ts <folder with OMA XML files>');
const operations: Operations = JSON.parse(readFileSync(new URL('operations.json', import.meta.url), 'utf8'));
const schemaFile = new URL(
  'LwM2MDocument.schema.json',
  import.meta.resolve('@nordicsemiconductor/lwm2m-types'),
);
const document: Schema = JSON.parse(readFileSync(schemaFile, 'utf8'));

const models = [...(await loadModelFolder(folder))];
const core = new Set(models.map((model) => model.id));
for (const [urn, schema] of Object.entries(document.properties ?? {})) {
  const match = /^(\d+)(?::(\d+\.\d+))?/.exec(urn);
  const id = Number(match?.[1]);
  if (!core.has(id)) models.push(objectFrom(id, match?.[2] ?? '1.0', schema));
}
models.sort((a, b) => a.id - b.id);
const lines = models.map((model) => `  ${JSON.stringify(toCompact(model))}`);
const notice = [
  'Object and resource ids, names, types, operations and units of the OMA LwM2M registry; descriptions left out.',
  'Objects 0-7 and 21: OMA XML files, Copyright Open Mobile Alliance, BSD-3-Clause, as carried by the Maven artifact',
  'org.eclipse.leshan:leshan-lwm2m-core 2.0.0-M18. Others: npm @nordicsemiconductor/lwm2m-types 2.7.0, Copyright',
  'Nordic Semiconductor ASA, BSD-3-Clause; operations from scripts/operations.json.',
].join(' ');
writeFileSync(
  new URL('../data/oma-models.json', import.meta.url),
  `{"notice": ${JSON.stringify(notice)},\n"objects": [\n${lines.join(',\n')}\n]}\n`,
);

function objectFrom(id: number, version: string, schema: Schema): ObjectModel {
  const body = schema.type === 'array' ? (schema.items ?? {}) : schema;
  const required = new Set(body.required);
  const rules = operations.objects[id] ?? {};
  const resources = new Map<number, ResourceModel>();
  for (const [key, resource] of Object.entries(body.properties ?? {})) {
    const rule = rules[key] ?? operations.reusable[key] ?? rules['*'] ?? 'RW';
    resources.set(Number(key), resourceFrom(Number(key), resource, rule, required.has(key)));
  }
  for (const [key, rule] of Object.entries(rules)) {
    if (key === '*' || resources.has(Number(key))) continue;
    const [letters = '', type = 'none', name = ''] = rule.split(':');
    resources.set(Number(key), {
      id: Number(key),
      name,
      type: type as ResourceType,
      operations: parseOperations(letters),
      multiple: false,
      mandatory: false,
    });
  }
  const description = schema.description ?? '';
  return {
    id,
    name: (schema.title ?? body.title ?? '').trim(),
    version,
    multiple: schema.type === 'array',
    mandatory: description.includes('Mandatory: true'),
    resources,
  };
}

function resourceFrom(id: number, schema: Schema, rule: string, mandatory: boolean): ResourceModel {
  const multiple = schema.type === 'array';
  const value = multiple ? (schema.items ?? {}) : schema;
  const [letters = 'RW', type] = rule.split(':');
  const units = /Units: (.*)\.$/.exec(schema.description ?? '')?.[1];
  const isNumber = value.type === 'number' || value.type === 'integer';
  return {
    id,
    name: (schema.title ?? '').trim(),
    type: (type as ResourceType | undefined) ?? typeFrom(value),
    operations: parseOperations(letters),
    multiple,
    mandatory,
    ...(units === undefined ? {} : { units }),
    ...(isNumber &&
    value.minimum !== undefined &&
    value.maximum !== undefined &&
    typeFrom(value) !== 'boolean'
      ? { range: { min: value.minimum, max: value.maximum } }
      : {}),
  };
}

/** The schema writes a boolean as an integer from 0 to 1, which the registry's integers almost never are. */
function typeFrom(schema: Schema): ResourceType {
  if (schema.unixTimestamp === true) return 'time';
  if (schema.type === 'number') return 'float';
  if (schema.type === 'integer') return schema.minimum === 0 && schema.maximum === 1 ? 'boolean' : 'integer';
  if (schema.pattern === '^dd:dd$') return 'objlnk';
  return schema.pattern === undefined ? 'string' : 'corelnk';
}
