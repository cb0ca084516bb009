import { CODE } from '@sefleet/coap';
import type { CoapReply } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, encodeContent, isContentFormat, isMultiple, lwm2mError } from '@sefleet/lwm2m';
import type { ContentFormat, Lwm2mEntry, Lwm2mPath, ModelRegistry, ObjectTree } from '@sefleet/lwm2m';

/** What goes on the wire for an error of the data model (Core §6.7). */
const REPLY_CODES: ReadonlyMap<string, number> = new Map([
  ['LWM2M_BAD_REQUEST', CODE.BAD_REQUEST],
  ['LWM2M_CONTENT_INVALID', CODE.BAD_REQUEST],
  ['LWM2M_VALUE_INVALID', CODE.BAD_REQUEST],
  ['LWM2M_UNAUTHORIZED', CODE.UNAUTHORIZED],
  ['LWM2M_NOT_FOUND', CODE.NOT_FOUND],
  ['LWM2M_METHOD_NOT_ALLOWED', CODE.METHOD_NOT_ALLOWED],
  ['LWM2M_NOT_ACCEPTABLE', CODE.NOT_ACCEPTABLE],
  ['LWM2M_CONFLICT', CODE.CONFLICT],
  ['LWM2M_ENTITY_TOO_LARGE', CODE.REQUEST_ENTITY_TOO_LARGE],
  ['LWM2M_FORMAT_UNSUPPORTED', CODE.UNSUPPORTED_CONTENT_FORMAT],
]);

/** The answer to a request that failed: 4.xx for what the data model refuses, 5.00 for everything else. */
export function errorReply(error: unknown): CoapReply {
  return {
    code: (isSefleetError(error) ? REPLY_CODES.get(error.code) : undefined) ?? CODE.INTERNAL_SERVER_ERROR,
  };
}

/** True when the error is the server's fault, so that nobody on the device has to hear of it. */
export function isRefusal(error: unknown): boolean {
  return isSefleetError(error) && REPLY_CODES.has(error.code);
}

/** The content format that a request names; without one, text, as devices of LwM2M 1.0 assume. */
export function requestFormat(contentFormat: number | undefined): ContentFormat {
  if (contentFormat === undefined) return CONTENT_FORMAT.TEXT;
  if (!isContentFormat(contentFormat)) {
    throw lwm2mError('LWM2M_FORMAT_UNSUPPORTED', 'unknown content format', { context: { contentFormat } });
  }
  return contentFormat;
}

/**
 * The format of an answer: the one asked for, which has to suit the path (else `LWM2M_NOT_ACCEPTABLE`), or
 * the device's choice.
 */
export function answerFormat(
  accept: number | undefined,
  path: Lwm2mPath,
  tree: ObjectTree,
  preferred: ContentFormat,
): ContentFormat {
  if (accept !== undefined) {
    if (!isContentFormat(accept)) throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'unknown content format');
    return accept;
  }
  if (path.depth < 3) return preferred;
  const value = tree.value(path);
  if (value === undefined || isMultiple(value)) return preferred;
  return value instanceof Uint8Array ? CONTENT_FORMAT.OPAQUE : CONTENT_FORMAT.TEXT;
}

/** 2.05 with entries. */
export function contentReply(
  format: ContentFormat,
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): CoapReply {
  return { code: CODE.CONTENT, contentFormat: format, payload: encodeContent(format, base, entries, models) };
}
