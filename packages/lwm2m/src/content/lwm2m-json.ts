import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';
import { Lwm2mPath } from '../model/path.ts';
import { fitsType, isObjectLink } from '../model/value.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import type { Lwm2mEntry } from './entry.ts';
import { asNumber, asRecord, asText, parseJson } from './json-text.ts';
import { contentInvalid, decodingType, encodingType, linkText, parseLink } from './typed-value.ts';

/*
 * The JSON of LwM2M 1.0 (Core 1.0 §6.4.4): one base name and one base time for all elements, opaque values as
 * base64 in `sv`. LwM2M 1.1 has SenML in its place; servers still find it on devices of 1.0.
 */

const UTF8 = new TextEncoder();
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** Elements in one payload; more is refused before they are looked at. */
const ELEMENTS_MAX = 10_000;
/** Below this a time that has no base time is relative to now, as in SenML (RFC 8428 §4.5.3). */
const RELATIVE_TIME_LIMIT = 2 ** 28;

/** Content format 11543. A node without a value has no form in it and is left out. */
export function encodeLwm2mJson(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  const single = entries.some(({ path }) => path.equals(base));
  const baseName = single || base.depth === 0 ? base.toString() : `${base.toString()}/`;
  const baseTime = entries[0]?.timeSeconds;
  const elements = entries
    .filter(({ value }) => value !== null)
    .map((entry) => formatElement(entry, baseName, baseTime ?? 0, models));
  const time = baseTime === undefined ? '' : `"bt":${baseTime},`;
  return UTF8.encode(`{"bn":${JSON.stringify(baseName)},${time}"e":[${elements.join()}]}`);
}

/**
 * Content format 11543. Without a base name, names are relative to `base`. `nowSeconds` turns relative times
 * into absolute ones.
 */
export function decodeLwm2mJson(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  nowSeconds?: number,
): readonly Lwm2mEntry[] {
  const fields = asRecord(parseJson(payload));
  const elements = fields.get('e');
  if (!Array.isArray(elements)) throw contentInvalid('e is an array');
  if (elements.length > ELEMENTS_MAX) throw contentInvalid('too many elements');
  const bn = fields.get('bn');
  const baseName = bn === undefined ? undefined : asText(bn);
  const baseTime = Number(asNumber(fields.get('bt') ?? 0));
  return elements.map((item: unknown) => {
    const element = asRecord(item);
    const path = pathOf(base, baseName, asText(element.get('n') ?? ''));
    const value = readValue(element, decodingType(path, models));
    const time = absoluteTime(baseTime + Number(asNumber(element.get('t') ?? 0)), nowSeconds);
    return time === undefined ? { path, value } : { path, value, timeSeconds: time };
  });
}

function formatElement(
  { path, value, timeSeconds }: Lwm2mEntry,
  baseName: string,
  baseTime: number,
  models: ModelRegistry,
): string {
  const name = path.toString().slice(baseName.length);
  const fields = name === '' ? [] : [`"n":${JSON.stringify(name)}`];
  if (value !== null) fields.push(formatValue(value, encodingType(value, path, models)));
  const t = timeSeconds === undefined ? 0 : Math.round((timeSeconds - baseTime) * 1e6) / 1e6;
  if (t !== 0) fields.push(`"t":${t}`);
  return `{${fields.join()}}`;
}

function formatValue(value: Lwm2mValue, type: ResourceType): string {
  if (typeof value === 'string') return `"sv":${JSON.stringify(value)}`;
  if (typeof value === 'boolean') return `"bv":${value}`;
  if (value instanceof Uint8Array) return `"sv":${JSON.stringify(Buffer.from(value).toString('base64'))}`;
  if (typeof value === 'object' && isObjectLink(value)) return `"ov":${JSON.stringify(linkText(value))}`;
  if (type === 'float' && !Number.isFinite(value)) {
    throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'JSON has no form for this number');
  }
  return `"v":${String(value)}`;
}

function pathOf(base: Lwm2mPath, baseName: string | undefined, name: string): Lwm2mPath {
  const separator = name === '' || name.startsWith('/') || base.depth === 0 ? '' : '/';
  const text = baseName === undefined ? `${base.toString()}${separator}${name}` : baseName + name;
  const path = Lwm2mPath.tryParse(text);
  if (path === undefined || path.depth < 3 || !base.contains(path)) {
    throw contentInvalid('a name that is no resource below the base');
  }
  return path;
}

function readValue(element: ReadonlyMap<string, unknown>, type: ResourceType | undefined): Lwm2mValue {
  const value = plainValue(element, type);
  if (type === 'float' && typeof value === 'bigint') return Number(value);
  if (type !== undefined && !fitsType(value, type)) throw contentInvalid(`not of type ${type}`);
  return value;
}

function plainValue(element: ReadonlyMap<string, unknown>, type: ResourceType | undefined): Lwm2mValue {
  const present = ['v', 'sv', 'bv', 'ov'].filter((label) => element.has(label));
  const [label = ''] = present;
  if (present.length !== 1) throw contentInvalid('an element has one value');
  const value = element.get(label);
  if (label === 'v') return asNumber(value);
  if (label === 'ov') return parseLink(asText(value));
  if (label === 'sv') return textValue(asText(value), type);
  if (typeof value !== 'boolean') throw contentInvalid('bv is a boolean');
  return value;
}

function textValue(text: string, type: ResourceType | undefined): Lwm2mValue {
  if (type === 'objlnk') return parseLink(text);
  if (type !== 'opaque') return text;
  if (!BASE64.test(text)) throw contentInvalid('opaque values are base64');
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

function absoluteTime(time: number, nowSeconds: number | undefined): number | undefined {
  if (time === 0) return undefined;
  return time >= RELATIVE_TIME_LIMIT || nowSeconds === undefined ? time : nowSeconds + time;
}
