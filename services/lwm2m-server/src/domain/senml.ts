import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, decodeContent, encodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mEntry, ModelRegistry } from '@sefleet/lwm2m';
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

/** A caller's path. @throws SefleetError `LWM2M_REQUEST_INVALID` */
export function callerPath(text: string): Lwm2mPath {
  const path = Lwm2mPath.tryParse(text);
  if (path === undefined) throw serviceError('LWM2M_REQUEST_INVALID', `path '${text}' is no LwM2M path`);
  return path;
}
