import { isSefleetError } from '@sefleet/errors';
import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { decodeCborValue, encodeCborValue } from './cbor-value.ts';
import { CONTENT_FORMAT } from './content-format.ts';
import type { ContentFormat } from './content-format.ts';
import type { Lwm2mEntry } from './entry.ts';
import { decodeLwm2mCbor, encodeLwm2mCbor } from './lwm2m-cbor.ts';
import { decodeLwm2mJson, encodeLwm2mJson } from './lwm2m-json.ts';
import { decodeOpaque, decodeText, encodeOpaque, encodeText } from './plain.ts';
import { decodeSenmlCbor, encodeSenmlCbor } from './senml-cbor.ts';
import { decodeSenmlJson, encodeSenmlJson } from './senml-json.ts';
import { decodeTlv, encodeTlv } from './tlv.ts';

/** What decoding needs to know beside the payload. */
export interface DecodeOptions {
  /** Wall clock in seconds since 1970: SenML times near zero are relative to it (RFC 8428 §4.5.3). */
  readonly nowSeconds?: number;
  /**
   * The id that a TLV Create without an object instance id shall get; without it such a payload is refused.
   */
  readonly newInstanceId?: number;
  /**
   * The end device behind a gateway that the payload is for: its names may begin with this prefix, and the
   * entries have none. Without it, entries of a payload for the root tell the prefix that they came under.
   */
  readonly prefix?: string | undefined;
}

/**
 * Encodes `entries`, all of them at or below `base`, as one payload.
 *
 * Text, opaque and CBOR carry exactly one value, that of the resource (instance) `base`. TLV and LwM2M CBOR
 * carry no times; entries of theirs with a `timeSeconds` lose it. Composite answers use the root as `base`
 * and SenML or LwM2M
 * CBOR. Throws `LWM2M_NOT_ACCEPTABLE` when the format cannot carry the entries and `LWM2M_VALUE_INVALID` when
 * a value does not fit the type that the model gives its resource.
 *
 * @example
 * const path = Lwm2mPath.parse('/3303/0/5700');
 * encodeContent(CONTENT_FORMAT.SENML_CBOR, path, [{ path, value: 21.5 }], models);
 */
export function encodeContent(
  format: ContentFormat,
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  switch (format) {
    case CONTENT_FORMAT.TEXT:
      return encodeText(base, entries, models);
    case CONTENT_FORMAT.OPAQUE:
      return encodeOpaque(base, entries);
    case CONTENT_FORMAT.CBOR:
      return encodeCborValue(base, entries, models);
    case CONTENT_FORMAT.SENML_CBOR:
    case CONTENT_FORMAT.SENML_ETCH_CBOR:
      return encodeSenmlCbor(base, entries, models);
    case CONTENT_FORMAT.SENML_JSON:
    case CONTENT_FORMAT.SENML_ETCH_JSON:
      return encodeSenmlJson(base, entries, models);
    case CONTENT_FORMAT.TLV:
      return encodeTlv(base, entries, models);
    case CONTENT_FORMAT.LWM2M_JSON:
      return encodeLwm2mJson(base, entries, models);
    case CONTENT_FORMAT.LWM2M_CBOR:
      return encodeLwm2mCbor(base, entries, models);
    case CONTENT_FORMAT.LINK:
      throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'link format carries no values');
  }
}

/**
 * Decodes a payload to its entries; their paths are absolute and lie at or below `base` (the root for
 * composite operations and Send). Values have the type that the model gives their resource, else the one of
 * the format.
 *
 * Throws `LWM2M_CONTENT_INVALID` on anything malformed and `LWM2M_FORMAT_UNSUPPORTED` when the format cannot
 * address `base`. Input is bounded by its own length; nesting and the number of items are limited besides.
 */
export function decodeContent(
  format: ContentFormat,
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  options: DecodeOptions = {},
): readonly Lwm2mEntry[] {
  try {
    return decodeFormat(format, base, payload, models, options);
  } catch (error) {
    if (isSefleetError(error, 'LWM2M_VALUE_INVALID')) {
      throw lwm2mError('LWM2M_CONTENT_INVALID', error.message, { cause: error });
    }
    throw error;
  }
}

function decodeFormat(
  format: ContentFormat,
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  options: DecodeOptions,
): readonly Lwm2mEntry[] {
  switch (format) {
    case CONTENT_FORMAT.TEXT:
      return decodeText(base, payload, models);
    case CONTENT_FORMAT.OPAQUE:
      return decodeOpaque(base, payload, models);
    case CONTENT_FORMAT.CBOR:
      return decodeCborValue(base, payload, models);
    case CONTENT_FORMAT.SENML_CBOR:
    case CONTENT_FORMAT.SENML_ETCH_CBOR:
      return decodeSenmlCbor(base, payload, models, options);
    case CONTENT_FORMAT.SENML_JSON:
    case CONTENT_FORMAT.SENML_ETCH_JSON:
      return decodeSenmlJson(base, payload, models, options);
    case CONTENT_FORMAT.TLV:
      return decodeTlv(base, payload, models, options.newInstanceId);
    case CONTENT_FORMAT.LWM2M_JSON:
      return decodeLwm2mJson(base, payload, models, options.nowSeconds);
    case CONTENT_FORMAT.LWM2M_CBOR:
      return decodeLwm2mCbor(base, payload, models, options.prefix);
    case CONTENT_FORMAT.LINK:
      throw lwm2mError('LWM2M_FORMAT_UNSUPPORTED', 'link format carries no values');
  }
}
