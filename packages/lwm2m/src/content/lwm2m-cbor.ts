import type { ModelRegistry } from '../model/model-registry.ts';
import { ID_MAX, Lwm2mPath } from '../model/path.ts';
import { CborMap, decodeCbor } from './cbor/cbor-reader.ts';
import type { CborItem } from './cbor/cbor-reader.ts';
import { CborWriter } from './cbor/cbor-writer.ts';
import { readCborValue, writeCborValue } from './cbor-value.ts';
import type { Lwm2mEntry } from './entry.ts';
import { isWithin, nodeName } from './node-name.ts';
import { contentInvalid, decodingType, encodingType } from './typed-value.ts';

/** The key of an end device (Gateway 1.1 §6): one path segment that is no id. */
const PREFIX = /^[^/0-9][^/]{0,63}$/;

/** A node while entries are sorted into a tree: children by id, or a value at the end. */
type Branch = Map<number, Branch | Lwm2mEntry>;

/**
 * Content format 11544 (Core 1.2 §7.4.7): nested maps from ids to values; a key that is an array of ids
 * stands for several levels at once. We write one such key for the base and nest below it.
 */
export function encodeLwm2mCbor(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  const writer = new CborWriter();
  const ids = base.ids();
  const [only] = entries;
  if (ids.length === 0 && entries.some(({ prefix }) => prefix !== undefined)) {
    writeDevices(writer, entries, models);
    return writer.finish();
  }
  const exact = entries.length === 1 && only !== undefined && only.path.equals(base) ? only : undefined;
  if (exact === undefined && ids.length === 0) {
    writeBranch(writer, branchOf(entries, 0), models);
    return writer.finish();
  }
  writer.map(1);
  writeKey(writer, ids, only?.prefix);
  if (exact !== undefined) writeLeaf(writer, exact, models);
  else writeBranch(writer, branchOf(entries, ids.length), models);
  return writer.finish();
}

/** Content format 11544. */
export function decodeLwm2mCbor(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  prefix?: string,
): readonly Lwm2mEntry[] {
  const top = decodeCbor(payload);
  if (!(top instanceof CborMap)) throw contentInvalid('LwM2M CBOR is a map');
  const entries: Lwm2mEntry[] = [];
  const seen = new Set<string>();
  for (const [key, item] of top.pairs) readDevice(key, item, models, entries);
  if (top.pairs.length === 0) entries.push({ path: Lwm2mPath.ROOT, value: null });
  for (const { path, prefix: found } of entries) {
    if (!isWithin({ path, prefix: found }, base, prefix))
      throw contentInvalid('a path outside of the one addressed');
    const name = nodeName(path, found);
    if (seen.has(name)) throw contentInvalid('the same path twice');
    seen.add(name);
  }
  return entries.map((entry) => (entry.prefix === prefix ? { path: entry.path, value: entry.value } : entry));
}

function branchOf(entries: readonly Lwm2mEntry[], skip: number): Branch {
  const root: Branch = new Map();
  for (const entry of entries) {
    let at = root;
    const ids = entry.path.ids().slice(skip);
    const last = ids.pop();
    if (last === undefined) continue;
    for (const id of ids) {
      const next = at.get(id);
      const child: Branch = next instanceof Map ? next : new Map();
      at.set(id, child);
      at = child;
    }
    if (!(at.get(last) instanceof Map)) at.set(last, entry);
  }
  return root;
}

function writeBranch(writer: CborWriter, branch: Branch, models: ModelRegistry): void {
  writer.map(branch.size);
  writePairs(writer, branch, models);
}

function writePairs(writer: CborWriter, branch: Branch, models: ModelRegistry): void {
  for (const [id, child] of branch) {
    writer.integer(id);
    if (child instanceof Map) writeBranch(writer, child, models);
    else writeLeaf(writer, child, models);
  }
}

function writeLeaf(writer: CborWriter, { path, value }: Lwm2mEntry, models: ModelRegistry): void {
  if (value !== null) writeCborValue(writer, value, encodingType(value, path, models));
  else if (path.depth === 2 || models.resource(path)?.multiple === true) writer.map(0);
  else writer.null();
}

/** One map of the device's own objects and, by their prefixes, of those behind it (Gateway 1.1 §6). */
function writeDevices(writer: CborWriter, entries: readonly Lwm2mEntry[], models: ModelRegistry): void {
  const byPrefix = Map.groupBy(entries, ({ prefix }) => prefix);
  const own = branchOf(byPrefix.get(undefined) ?? [], 0);
  byPrefix.delete(undefined);
  writer.map(own.size + byPrefix.size);
  writePairs(writer, own, models);
  for (const [prefix, group] of byPrefix) {
    writer.text(prefix ?? '');
    writeBranch(writer, branchOf(group, 0), models);
  }
}

function writeKey(writer: CborWriter, ids: readonly number[], prefix: string | undefined): void {
  const [only] = ids;
  if (ids.length === 1 && only !== undefined && prefix === undefined) {
    writer.integer(only);
    return;
  }
  writer.array(ids.length + (prefix === undefined ? 0 : 1));
  if (prefix !== undefined) writer.text(prefix);
  for (const id of ids) writer.integer(id);
}

/** A pair of the outermost map: below a prefix, or below the ids of the device's own. */
function readDevice(key: CborItem, item: CborItem, models: ModelRegistry, entries: Lwm2mEntry[]): void {
  const [prefix, ...ids]: readonly CborItem[] = Array.isArray(key) ? key : [key];
  if (typeof prefix !== 'string') {
    readPair(key, item, Lwm2mPath.ROOT, models, entries);
    return;
  }
  if (!PREFIX.test(prefix)) throw contentInvalid('a key that is no prefix');
  const below: Lwm2mEntry[] = [];
  if (ids.length > 0) readPair(ids, item, Lwm2mPath.ROOT, models, below);
  else if (item instanceof CborMap) readMap(item, Lwm2mPath.ROOT, models, below);
  else if (item === null) below.push({ path: Lwm2mPath.ROOT, value: null });
  else throw contentInvalid('a value above a resource');
  for (const entry of below) entries.push({ ...entry, prefix });
}

function readMap(map: CborMap, at: Lwm2mPath, models: ModelRegistry, entries: Lwm2mEntry[]): void {
  if (map.pairs.length === 0) entries.push({ path: at, value: null });
  for (const [key, item] of map.pairs) readPair(key, item, at, models, entries);
}

function readPair(
  key: CborItem,
  item: CborItem,
  at: Lwm2mPath,
  models: ModelRegistry,
  entries: Lwm2mEntry[],
): void {
  const path = descend(at, key);
  if (item instanceof CborMap) readMap(item, path, models, entries);
  else if (item === null) entries.push({ path, value: null });
  else if (path.depth < 3) throw contentInvalid('a value above a resource');
  else entries.push({ path, value: readCborValue(item, decodingType(path, models)) });
}

function descend(at: Lwm2mPath, key: CborItem): Lwm2mPath {
  const ids: readonly CborItem[] = Array.isArray(key) ? key : [key];
  if (ids.length === 0 || at.depth + ids.length > 4) throw contentInvalid('a path too deep');
  let path = at;
  for (const id of ids) {
    if (typeof id !== 'number' || id < 0 || id > ID_MAX) throw contentInvalid('a key that is no id');
    path = path.child(id);
  }
  return path;
}
