import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { fitsType, isObjectLink } from '../model/value.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from './entry.ts';
import {
  assertSingleBase,
  contentInvalid,
  decodeUtf8,
  decodingType,
  encodingType,
  linkText,
  onlyValue,
  parseInteger,
  parseLink,
} from './typed-value.ts';

const UTF8 = new TextEncoder();
/** A float as the text format has it (Core appendix C): digits with an optional fraction and exponent. */
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Content format 0: one value as text (Core §7.4.1). */
export function encodeText(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  const value = onlyValue(base, entries);
  return UTF8.encode(formatText(value, encodingType(value, base, models)));
}

/** Content format 0. An unknown resource stays a string. */
export function decodeText(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
): readonly Lwm2mEntry[] {
  assertSingleBase(base);
  return [{ path: base, value: parseText(decodeUtf8(payload), decodingType(base, models) ?? 'string') }];
}

/** Content format 42: the bytes of one opaque resource (Core §7.4.2). */
export function encodeOpaque(base: Lwm2mPath, entries: readonly Lwm2mEntry[]): Uint8Array {
  const value = onlyValue(base, entries);
  if (!(value instanceof Uint8Array)) {
    throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'only an opaque resource can be read as opaque');
  }
  return value;
}

/** Content format 42. Only resources of type opaque, or unknown ones, are written so. */
export function decodeOpaque(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
): readonly Lwm2mEntry[] {
  assertSingleBase(base);
  const type = decodingType(base, models);
  if (type !== undefined && type !== 'opaque') {
    throw lwm2mError('LWM2M_FORMAT_UNSUPPORTED', 'the resource is not opaque', { context: { type } });
  }
  return [{ path: base, value: payload.slice() }];
}

function formatText(value: Lwm2mValue, type: ResourceType): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'object' && isObjectLink(value)) return linkText(value);
  if (type === 'float' && !Number.isFinite(value)) {
    throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'text has no form for this number');
  }
  return String(value);
}

function parseText(text: string, type: ResourceType): Lwm2mValue {
  switch (type) {
    case 'integer':
    case 'unsigned':
    case 'time': {
      const value = parseInteger(text);
      if (!fitsType(value, type)) throw contentInvalid(`not in the range of ${type}`);
      return value;
    }
    case 'float':
      if (!FLOAT.test(text)) throw contentInvalid('not a number');
      return Number(text);
    case 'boolean':
      if (text !== '0' && text !== '1') throw contentInvalid('not a boolean');
      return text === '1';
    case 'opaque':
      if (!BASE64.test(text)) throw contentInvalid('not base64');
      return Uint8Array.from(Buffer.from(text, 'base64'));
    case 'objlnk':
      return parseLink(text);
    default:
      return text;
  }
}
