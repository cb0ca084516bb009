import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSefleetError } from '@sefleet/errors';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { lwm2mError } from '../errors.ts';
import { parseOperations } from './object-model.ts';
import type { ObjectModel, ResourceModel } from './object-model.ts';
import { ID_MAX } from './path.ts';
import type { ResourceType } from './value.ts';

/** A definition file is a few ten kilobytes; the largest of the registry has 120. */
const DDF_BYTES_MAX = 2_000_000;
/** Files read from one folder. */
const DDF_FILES_MAX = 5_000;

/** `ObjectType` of the registry's list of resources that many objects use. */
const REUSABLE = 'CommonResources';

/** The names of types in definition files. */
const TYPES: Readonly<Record<string, ResourceType>> = {
  '': 'none',
  none: 'none',
  string: 'string',
  integer: 'integer',
  'unsigned integer': 'unsigned',
  float: 'float',
  boolean: 'boolean',
  opaque: 'opaque',
  time: 'time',
  objlnk: 'objlnk',
  corelnk: 'corelnk',
};

/**
 * Every object that the `.xml` files of a folder define, as OMA's registry and vendors publish them. Files of
 * other kinds, such as the registry's lists of units and of reusable resources, are passed over.
 *
 * @throws SefleetError `LWM2M_MODEL_INVALID`, naming the file.
 */
export async function loadModelFolder(folder: string): Promise<readonly ObjectModel[]> {
  const names = (await readdir(folder)).filter((name) => name.toLowerCase().endsWith('.xml')).sort();
  if (names.length > DDF_FILES_MAX) throw invalid(`more than ${DDF_FILES_MAX} files`, folder);
  const models: ObjectModel[] = [];
  for (const name of names) {
    const file = join(folder, name);
    const bytes = await readFile(file);
    if (bytes.length > DDF_BYTES_MAX) throw invalid(`larger than ${DDF_BYTES_MAX} bytes`, file);
    const objects = objectsOf(bytes.toString('utf8'), file) ?? [];
    models.push(...objects.map((object) => toObjectModel(object, file)));
  }
  return models;
}

/**
 * The objects of one definition file (`<LWM2M><Object>...`). `source` is named in errors.
 *
 * @throws SefleetError `LWM2M_MODEL_INVALID`
 */
export function parseModelXml(xml: string, source = 'text'): readonly ObjectModel[] {
  const objects = objectsOf(xml, source) ?? [];
  if (objects.length === 0) throw invalid('no LWM2M/Object element', source);
  return objects.map((object) => toObjectModel(object, source));
}

/** The elements that define objects; undefined when the file is of another kind. */
function objectsOf(xml: string, source: string): readonly unknown[] | undefined {
  let root: unknown;
  try {
    // The parser alone takes a file that was cut in the middle for a whole one.
    const wellFormed = XMLValidator.validate(xml);
    if (wellFormed !== true) throw invalid(`line ${wellFormed.err.line}: ${wellFormed.err.msg}`, source);
    root = createParser().parse(xml);
  } catch (error) {
    if (isSefleetError(error)) throw error;
    throw lwm2mError('LWM2M_MODEL_INVALID', `${source}: not well-formed XML`, {
      context: { source },
      cause: error,
    });
  }
  const model = childOf(root, 'LWM2M');
  if (model === undefined) return undefined;
  return childrenOf(model, 'Object').filter((object) => textOf(object, '@ObjectType') !== REUSABLE);
}

function createParser(): XMLParser {
  return new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    parseTagValue: false,
    parseAttributeValue: false,
    // Entities expand; definition files need none beyond XML's own five.
    processEntities: false,
  });
}

function toObjectModel(object: unknown, source: string): ObjectModel {
  const id = idOf(textOf(object, 'ObjectID'), source);
  const resources = new Map<number, ResourceModel>();
  for (const item of childrenOf(childOf(object, 'Resources'), 'Item')) {
    const resource = toResourceModel(item, source);
    if (resources.has(resource.id)) throw invalid(`resource ${resource.id} twice`, source);
    resources.set(resource.id, resource);
  }
  return {
    id,
    name: textOf(object, 'Name'),
    version: textOf(object, 'ObjectVersion') || '1.0',
    multiple: textOf(object, 'MultipleInstances').toLowerCase() === 'multiple',
    mandatory: textOf(object, 'Mandatory').toLowerCase() === 'mandatory',
    resources,
  };
}

function toResourceModel(item: unknown, source: string): ResourceModel {
  const typeName = textOf(item, 'Type').toLowerCase();
  const type = TYPES[typeName];
  if (type === undefined) throw invalid(`unknown type '${typeName}'`, source);
  const units = textOf(item, 'Units');
  const range = parseRange(textOf(item, 'RangeEnumeration'), type);
  return {
    id: idOf(textOf(item, '@ID'), source),
    name: textOf(item, 'Name'),
    type,
    operations: parseOperations(textOf(item, 'Operations')),
    multiple: textOf(item, 'MultipleInstances').toLowerCase() === 'multiple',
    mandatory: textOf(item, 'Mandatory').toLowerCase() === 'mandatory',
    ...(units === '' ? {} : { units }),
    ...(range === undefined ? {} : { range }),
  };
}

/** `0..100` bounds a number; on other types the same notation means lengths, and lists are enumerations. */
function parseRange(text: string, type: ResourceType): ResourceModel['range'] {
  if (type !== 'integer' && type !== 'unsigned' && type !== 'float') return undefined;
  const match = /^(-?[\d.]+?)\s*(?:\.\.|-)\s*(-?\d+(?:\.\d+)?)$/.exec(text);
  const min = Number(match?.[1]);
  const max = Number(match?.[2]);
  return match !== null && min <= max ? { min, max } : undefined;
}

function idOf(text: string, source: string): number {
  const id = Number(text);
  if (text === '' || !Number.isInteger(id) || id < 0 || id > ID_MAX)
    throw invalid(`'${text}' is no id`, source);
  return id;
}

function childOf(node: unknown, name: string): unknown {
  if (typeof node !== 'object' || node === null) return undefined;
  return Object.getOwnPropertyDescriptor(node, name)?.value;
}

function childrenOf(node: unknown, name: string): readonly unknown[] {
  const child = childOf(node, name);
  if (child === undefined || child === '') return [];
  return Array.isArray(child) ? child : [child];
}

function textOf(node: unknown, name: string): string {
  const child = childOf(node, name);
  return typeof child === 'string' ? child.trim() : '';
}

function invalid(message: string, source: string): Error {
  return lwm2mError('LWM2M_MODEL_INVALID', `${source}: ${message}`, {
    context: { source },
    hint: 'Use definition files in the format of the OMA LwM2M registry.',
  });
}
