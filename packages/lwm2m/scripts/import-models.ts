/**
 * Makes data/oma-models.json. Run: node scripts/import-models.ts <folder with OMA's XML files>
 *
 * The folder holds the XML files of two published Maven artifacts (`models/` in the jars of
 * org.eclipse.leshan:leshan-lwm2m-core and of its `tests`): the objects of the enabler (0 to 7, 21), every
 * version, and the test objects 3441 and 3442. All others come from the npm package
 * @nordicsemiconductor/lwm2m-types, which carries names, ranges, units and the types of JSON, but no operations,
 * no executable resources, and does not tell a string from bytes; what it lacks is in operations.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { loadModelFolder } from '../src/model/ddf.ts';
import { compareVersions } from '../src/model/model-registry.ts';
import { parseOperations } from '../src/model/object-model.ts';
import type { ObjectModel, ResourceModel } from '../src/model/object-model.ts';
import type { ResourceType } from '../src/model/value.ts';
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

const TYPES: readonly ResourceType[] = ['boolean', 'integer', 'none', 'opaque'];

const folder = process.argv[2];
if (folder === undefined) throw new TypeError('usage: import-models.ts <folder with OMA XML files>');
const operations: Operations = JSON.parse(readFileSync(new URL('operations.json', import.meta.url), 'utf8'));
const document: Schema = JSON.parse(readPackageFile('LwM2MDocument.schema.json'));

const models = [...(await loadModelFolder(folder))];
const fromXml = new Set(models.map((model) => model.id));
for (const [urn, schema] of Object.entries(document.properties ?? {})) {
  // `id[:version][@version of LwM2M]`
  const match = /^(\d+)(?::(\d+\.\d+))?/.exec(urn);
  const id = Number(match?.[1]);
  if (!fromXml.has(id)) models.push(objectFrom(id, match?.[2] ?? '1.0', schema));
}
models.sort((a, b) => a.id - b.id || compareVersions(a.version, b.version));
const lines = models.map((model) => `  ${JSON.stringify(toCompact(model))}`);
const notice = [
  'Ids, names, types, operations, ranges and units of objects of the OMA LwM2M registry; descriptions left out.',
  'Objects 0-7 and 21: OMA XML files, Copyright Open Mobile Alliance, BSD-3-Clause, as carried by the Maven artifact',
  'org.eclipse.leshan:leshan-lwm2m-core 2.0.0-M18; 3441 and 3442: XML files of its tests, Copyright Eclipse',
  'Foundation, BSD-3-Clause. Others: npm @nordicsemiconductor/lwm2m-types 2.7.0, Copyright Nordic Semiconductor ASA,',
  'BSD-3-Clause; operations, and types that it cannot tell, from scripts/operations.json.',
].join(' ');
writeFileSync(
  new URL('../data/oma-models.json', import.meta.url),
  `{"notice": ${JSON.stringify(notice)},\n"objects": [\n${lines.join(',\n')}\n]}\n`,
);

function objectFrom(id: number, version: string, schema: Schema): ObjectModel {
  const body = schema.type === 'array' ? (schema.items ?? {}) : schema;
  const required = new Set(body.required);
  const booleans = booleansOf(id);
  const rules = operations.objects[id] ?? {};
  const resources = new Map<number, ResourceModel>();
  for (const [key, resource] of Object.entries(body.properties ?? {})) {
    const rule = rules[key] ?? operations.reusable[key] ?? rules['*'] ?? 'RW';
    const asBoolean = booleans.has(key) ? `${rule.split(':', 1)[0]}:boolean` : rule;
    resources.set(Number(key), resourceFrom(Number(key), resource, asBoolean, required.has(key)));
  }
  for (const [key, rule] of Object.entries(rules)) {
    if (key !== '*' && !resources.has(Number(key)))
      resources.set(Number(key), executable(id, Number(key), rule));
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

/** Resources that are boolean: the schema has integers from 0 to 1 for them, the types of TypeScript have not. */
function booleansOf(objectId: number): ReadonlySet<string> {
  const types = readPackageFile(`types/${objectId}.ts`);
  const found = types.matchAll(/^(?:export )?type \w+_(\d+) =\s+(?:boolean|Array<boolean>)$/gm);
  return new Set([...found].map(([, id = '']) => id));
}

function readPackageFile(name: string): string {
  return readFileSync(new URL(name, import.meta.resolve('@nordicsemiconductor/lwm2m-types')), 'utf8');
}

/** A resource that the package leaves out, as it does with all that are executable only. */
function executable(objectId: number, id: number, rule: string): ResourceModel {
  const [letters, type, name = ''] = rule.split(':');
  if (letters !== 'E' || type !== 'none' || name === '') {
    throw new TypeError(`operations.json: /${objectId}/${id}: the package has no such resource`);
  }
  return { id, name, type, operations: parseOperations(letters), multiple: false, mandatory: false };
}

function resourceFrom(id: number, schema: Schema, rule: string, mandatory: boolean): ResourceModel {
  const multiple = schema.type === 'array';
  const value = multiple ? (schema.items ?? {}) : schema;
  const [letters = 'RW', typeName] = rule.split(':');
  const type = typeName === undefined ? typeFrom(value) : typeNamed(typeName);
  const units = /Units: (.*)\.$/.exec(schema.description ?? '')?.[1]?.trim() ?? '';
  const { minimum, maximum } = value;
  const isNumber = type === 'integer' || type === 'float';
  return {
    id,
    name: (schema.title ?? '').trim(),
    type,
    operations: parseOperations(letters),
    multiple,
    mandatory,
    ...(units === '' ? {} : { units }),
    ...(isNumber && minimum !== undefined && maximum !== undefined
      ? { range: { min: minimum, max: maximum } }
      : {}),
  };
}

function typeNamed(name: string): ResourceType {
  const type = TYPES.find((candidate) => candidate === name);
  if (type === undefined) throw new TypeError(`operations.json: no type '${name}'`);
  return type;
}

function typeFrom(schema: Schema): ResourceType {
  if (schema.unixTimestamp === true) return 'time';
  if (schema.type === 'number') return 'float';
  if (schema.type === 'integer') return 'integer';
  if (schema.pattern === '^dd:dd$') return 'objlnk';
  return schema.pattern === undefined ? 'string' : 'corelnk';
}
