import { isSefleetError } from '@sefleet/errors';
import {
  CONTENT_FORMAT,
  decodeContent,
  encodeContent,
  isContentFormat,
  Lwm2mPath,
  parseAttributeQueries,
} from '@sefleet/lwm2m';
import type { ContentFormat, Lwm2mEntry, ModelRegistry } from '@sefleet/lwm2m';
import { serviceError } from '../errors.ts';

/** Values as SenML JSON text; empty for none. */
export function toSenmlJson(entries: readonly Lwm2mEntry[], models: ModelRegistry): string {
  if (entries.length === 0) return '';
  const payload = encodeContent(CONTENT_FORMAT.SENML_JSON, Lwm2mPath.ROOT, entries, models);
  return new TextDecoder().decode(payload);
}

/**
 * Values from a caller's SenML JSON.
 *
 * @throws SefleetError `LWM2M_REQUEST_INVALID` when it does not decode or names something outside of `base`
 */
export function fromSenmlJson(text: string, base: Lwm2mPath, models: ModelRegistry): readonly Lwm2mEntry[] {
  try {
    return decodeContent(CONTENT_FORMAT.SENML_JSON, base, new TextEncoder().encode(text), models);
  } catch (error) {
    if (!isSefleetError(error)) throw error;
    throw serviceError('LWM2M_REQUEST_INVALID', `senml_json: ${error.message}`, { cause: error });
  }
}

/**
 * The values of a caller's Write: a resource that has one value gets one.
 *
 * @throws SefleetError `LWM2M_REQUEST_INVALID`
 */
export function writtenEntries(text: string, path: Lwm2mPath, models: ModelRegistry): readonly Lwm2mEntry[] {
  const entries = fromSenmlJson(text, path, models);
  const isSingle = path.depth === 4 || (path.depth === 3 && models.resource(path)?.multiple === false);
  if (isSingle && entries.length === 0) {
    throw serviceError('LWM2M_REQUEST_INVALID', `senml_json: it has no value for ${path.toString()}`);
  }
  return entries;
}

/**
 * A caller's attributes by name, null for one to take away (its value is empty).
 *
 * @throws SefleetError `LWM2M_REQUEST_INVALID`, naming the attribute and its range
 */
export function callerAttributes(
  attributes: readonly { readonly name: string; readonly value: string }[],
): Readonly<Record<string, string | null>> {
  if (attributes.length === 0) throw serviceError('LWM2M_REQUEST_INVALID', 'attributes are missing');
  for (const { name, value } of attributes) {
    // What stands behind '=' belongs to the value.
    if (name.includes('=')) {
      throw serviceError('LWM2M_REQUEST_INVALID', `attributes: the name '${name}' has a '='`);
    }
    try {
      parseAttributeQueries([value === '' ? name : `${name}=${value}`]);
    } catch (error) {
      if (!isSefleetError(error)) throw error;
      throw serviceError('LWM2M_REQUEST_INVALID', `attributes: ${error.message}`, { cause: error });
    }
  }
  return Object.fromEntries(attributes.map(({ name, value }) => [name, value === '' ? null : value]));
}

/** A caller's path. @throws SefleetError `LWM2M_REQUEST_INVALID` */
export function callerPath(text: string): Lwm2mPath {
  const path = Lwm2mPath.tryParse(text);
  if (path === undefined) throw serviceError('LWM2M_REQUEST_INVALID', `path '${text}' is no LwM2M path`);
  return path;
}

/** A caller's content format, in the field of that name. @throws SefleetError `LWM2M_REQUEST_INVALID` */
export function contentFormatOf(field: string, value: number): ContentFormat {
  if (isContentFormat(value)) return value;
  throw serviceError('LWM2M_REQUEST_INVALID', `${field} ${value} is no content format of LwM2M`);
}
