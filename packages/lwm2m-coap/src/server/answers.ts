import type { CoapResponse } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, decodeContent, decodeLinks, isContentFormat } from '@sefleet/lwm2m';
import type { DecodeOptions, Lwm2mEntry, Lwm2mPath, ModelRegistry } from '@sefleet/lwm2m';
import type { DiscoverResult, OperationResult, ReadResult } from './device-operations.ts';
import { serverError } from './errors.ts';

/** The values of an answer or a notification; throws `LWM2M_ANSWER_INVALID`. */
export function decodeAnswer(
  response: CoapResponse,
  base: Lwm2mPath,
  models: ModelRegistry,
  options: DecodeOptions,
): readonly Lwm2mEntry[] {
  // Core §7.4: text is the format of a payload that names none.
  const format = response.contentFormat ?? CONTENT_FORMAT.TEXT;
  if (!isContentFormat(format) || format === CONTENT_FORMAT.LINK) throw invalid(`content format ${format}`);
  try {
    return decodeContent(format, base, response.payload, models, options);
  } catch (error) {
    if (isSefleetError(error)) throw invalid(error.message, error);
    throw error;
  }
}

/** A Read's, Observe's or Read-Composite's answer. */
export function toReadResult(
  response: CoapResponse,
  base: Lwm2mPath,
  models: ModelRegistry,
  options: DecodeOptions,
): ReadResult {
  const { payload, contentFormat } = response;
  const entries = response.success ? decodeAnswer(response, base, models, options) : [];
  return { ...toResult(response), entries, payload, contentFormat };
}

export function toResult({ code, success }: CoapResponse): OperationResult {
  return { code, success };
}

/** A Discover's answer. */
export function toDiscoverResult(response: CoapResponse): DiscoverResult {
  const result = toResult(response);
  if (!response.success) return { ...result, links: [], linkFormat: '' };
  try {
    return { ...result, links: decodeLinks(response.payload), linkFormat: response.text() };
  } catch (error) {
    if (isSefleetError(error)) throw invalid(error.message, error);
    throw error;
  }
}

function invalid(message: string, cause?: unknown): Error {
  return serverError('LWM2M_ANSWER_INVALID', `the device's answer does not decode: ${message}`, { cause });
}
