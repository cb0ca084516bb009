import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { assertFits, integerFrom, typeOfValue } from '../model/value.ts';
import type { Lwm2mValue, ObjectLink, ResourceType } from '../model/value.ts';
import type { Lwm2mEntry } from './entry.ts';

/**
 * The one value of a single-value format; throws `LWM2M_NOT_ACCEPTABLE` when there is none or are several.
 */
export function onlyValue(base: Lwm2mPath, entries: readonly Lwm2mEntry[]): Lwm2mValue {
  const [entry] = entries;
  if (entries.length !== 1 || entry === undefined || entry.value === null || !entry.path.equals(base)) {
    throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'the format carries exactly one value', {
      context: { path: base.toString(), entries: entries.length },
    });
  }
  return entry.value;
}

/** Refuses a base that a single-value format cannot address. */
export function assertSingleBase(base: Lwm2mPath): void {
  if (base.depth < 3) {
    throw lwm2mError('LWM2M_FORMAT_UNSUPPORTED', 'the format carries one resource only', {
      context: { path: base.toString() },
    });
  }
}

/** The type to encode `value` as: the model's, which the value has to fit, or the value's own. */
export function encodingType(value: Lwm2mValue, path: Lwm2mPath, models: ModelRegistry): ResourceType {
  const type = models.resource(path)?.type;
  if (type === undefined || type === 'none') return typeOfValue(value);
  assertFits(value, type);
  return type;
}

/** The type that the model gives; undefined when no model knows the resource, so that the format decides. */
export function decodingType(path: Lwm2mPath, models: ModelRegistry): ResourceType | undefined {
  const type = models.resource(path)?.type;
  return type === 'none' ? undefined : type;
}

/** Objlnk as text, `3:0`. */
export function linkText(link: ObjectLink): string {
  return `${link.objectId}:${link.instanceId}`;
}

/** Objlnk from text. */
export function parseLink(text: string): ObjectLink {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const objectId = Number(match?.[1]);
  const instanceId = Number(match?.[2]);
  if (match === null || objectId > 65_535 || instanceId > 65_535) throw contentInvalid('not an object link');
  return { objectId, instanceId };
}

/** An integer from decimal text. */
export function parseInteger(text: string): number | bigint {
  if (!/^-?\d{1,20}$/.test(text)) throw contentInvalid('not an integer');
  return integerFrom(BigInt(text));
}

/** The decode error of all content formats. */
export function contentInvalid(message: string, cause?: unknown): Error {
  return lwm2mError('LWM2M_CONTENT_INVALID', message, cause === undefined ? {} : { cause });
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 text; malformed bytes are a decode error. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw contentInvalid('malformed UTF-8', error);
  }
}
