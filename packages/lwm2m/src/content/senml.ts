import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { fitsType, isObjectLink } from '../model/value.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import type { Lwm2mEntry } from './entry.ts';
import { entryPrefix, isWithin, nodeName, parseNodeName } from './node-name.ts';
import { contentInvalid, decodingType, encodingType, linkText, parseLink } from './typed-value.ts';

/**
 * A SenML record as it came off the wire, labels by their JSON names (RFC 8428 §4.3, Core §7.4.5 for `vlo`).
 */
export interface SenmlRecord {
  bn?: string;
  bt?: number;
  bv?: number | bigint;
  n?: string;
  t?: number;
  v?: number | bigint;
  /** False when `v` was written as an integer. */
  vIsFloat?: boolean;
  vs?: string;
  vb?: boolean;
  vd?: Uint8Array;
  vlo?: string;
  /** The record has `v: null` or the like, as SenML-ETCH uses to remove. */
  isNull?: boolean;
}

/** RFC 8428 §4.5.3: times below this are relative to now. */
const RELATIVE_TIME_LIMIT = 2 ** 28;
/** RFC 8428 §4.4: the version that this resolves. */
export const SENML_VERSION = 10;

/** What names and times in a pack are relative to. */
export interface SenmlContext {
  readonly nowSeconds?: number | undefined;
  /** The end device that the payload is for. */
  readonly prefix?: string | undefined;
}

/** RFC 8428 §4.6: resolves base fields and types the values by the model. */
export function resolveSenml(
  records: readonly SenmlRecord[],
  base: Lwm2mPath,
  models: ModelRegistry,
  { nowSeconds, prefix }: SenmlContext,
): readonly Lwm2mEntry[] {
  const entries: Lwm2mEntry[] = [];
  let baseName = '';
  let baseTime = 0;
  let baseValue: number | bigint = 0;
  for (const record of records) {
    baseName = record.bn ?? baseName;
    baseTime = record.bt ?? baseTime;
    baseValue = record.bv ?? baseValue;
    const place = parseNodeName(baseName + (record.n ?? ''));
    if (place === undefined || !isWithin(place, base, prefix))
      throw contentInvalid('a name that is no path below the base');
    const { path } = place;
    const value = recordValue(record, baseValue, decodingType(path, models));
    if (value !== null && path.depth < 3) throw contentInvalid('a value above a resource');
    const timeSeconds = absoluteTime(baseTime + (record.t ?? 0), nowSeconds);
    const entry = { path, value, ...entryPrefix(place, prefix) };
    entries.push(timeSeconds === undefined ? entry : { ...entry, timeSeconds });
  }
  return entries;
}

function absoluteTime(time: number, nowSeconds: number | undefined): number | undefined {
  if (time === 0) return undefined;
  if (time >= RELATIVE_TIME_LIMIT || nowSeconds === undefined) return time;
  return nowSeconds + time;
}

function recordValue(
  record: SenmlRecord,
  baseValue: number | bigint,
  type: ResourceType | undefined,
): Lwm2mValue | null {
  if (record.v !== undefined) return numberValue(record.v, record.vIsFloat === true, baseValue, type);
  let value: Lwm2mValue | undefined;
  if (record.vlo !== undefined) value = parseLink(record.vlo);
  else if (record.vs !== undefined) value = type === 'objlnk' ? parseLink(record.vs) : record.vs;
  else value = record.vb ?? record.vd;
  if (value === undefined) return null;
  if (type !== undefined && !fitsType(value, type)) throw contentInvalid(`not of type ${type}`);
  return value;
}

function numberValue(
  v: number | bigint,
  isFloat: boolean,
  baseValue: number | bigint,
  type: ResourceType | undefined,
): Lwm2mValue {
  const value = baseValue === 0 ? v : Number(v) + Number(baseValue);
  if (type === undefined) return isFloat ? Number(value) : value;
  if (type === 'float') return Number(value);
  if (!fitsType(value, type)) throw contentInvalid(`not of type ${type}`);
  return value;
}

/** One record to write: labels and values in order, ready for JSON or CBOR. */
export interface SenmlOutput {
  readonly bn?: string;
  readonly bt?: number;
  readonly n?: string;
  readonly t?: number;
  readonly value: Lwm2mValue | null;
  readonly type: ResourceType;
}

/** Lays entries out as records: one base name for all, one base time when all have a time. */
export function layOutSenml(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): readonly SenmlOutput[] {
  const prefix = baseNameOf(base, entries);
  const baseTime = commonBaseTime(entries);
  return entries.map((entry, index) => {
    const { path, value } = entry;
    const output: { -readonly [K in keyof SenmlOutput]: SenmlOutput[K] } = {
      value,
      type: value === null ? 'none' : encodingType(value, path, models),
    };
    const name = nodeName(path, entry.prefix).slice(prefix.length);
    if (index === 0 && prefix !== '') output.bn = prefix;
    if (name !== '') output.n = name;
    if (baseTime !== undefined && index === 0) output.bt = baseTime;
    const t = relativeTime(entry.timeSeconds, baseTime);
    if (t !== 0) output.t = t;
    return output;
  });
}

/** `/3/0/` when everything lies below the base, `/3/0/1` when the base itself has a value. */
function baseNameOf(base: Lwm2mPath, entries: readonly Lwm2mEntry[]): string {
  if (base.depth === 0) return '';
  const name = nodeName(base, entries[0]?.prefix);
  return entries.some(({ path }) => path.equals(base)) ? name : `${name}/`;
}

function commonBaseTime(entries: readonly Lwm2mEntry[]): number | undefined {
  return entries.every((entry) => entry.timeSeconds !== undefined) ? entries[0]?.timeSeconds : undefined;
}

function relativeTime(timeSeconds: number | undefined, baseTime: number | undefined): number {
  if (timeSeconds === undefined) return 0;
  // Microseconds: what a double holds beside a base time of this century.
  return baseTime === undefined ? timeSeconds : Math.round((timeSeconds - baseTime) * 1e6) / 1e6;
}

/** The label that a value of SenML has. */
export function senmlLabel(value: Lwm2mValue): 'v' | 'vs' | 'vb' | 'vd' | 'vlo' {
  if (typeof value === 'string') return 'vs';
  if (typeof value === 'boolean') return 'vb';
  if (value instanceof Uint8Array) return 'vd';
  return typeof value === 'object' && isObjectLink(value) ? 'vlo' : 'v';
}

/** Objlnk as SenML writes it. */
export function senmlLink(value: Lwm2mValue): string {
  return typeof value === 'object' && isObjectLink(value) ? linkText(value) : '';
}
