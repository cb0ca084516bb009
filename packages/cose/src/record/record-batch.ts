import { decode, encode } from 'cborg';
import { coseError } from '../errors.ts';

/** Sealed records in one message. */
export const MAX_BATCH_RECORDS = 256;
/** Bytes of one message. */
export const MAX_BATCH_BYTES = 262_144;

/** First byte of a tagged COSE_Encrypt0 (tag 16), which may stand alone in place of a batch of one. */
const SINGLE = 0xd0;

/**
 * Several sealed records as one payload: a CBOR array of byte strings, each one sealed record. A record that
 * was damaged on its way leaves its neighbours readable.
 *
 * @throws SefleetError `COSE_RECORD_INVALID` for an empty batch or one beyond its limits.
 */
export function encodeRecordBatch(sealed: readonly Uint8Array[]): Uint8Array {
  if (sealed.length === 0 || sealed.length > MAX_BATCH_RECORDS) {
    throw coseError('COSE_RECORD_INVALID', `a batch has 1 to ${MAX_BATCH_RECORDS} records`);
  }
  const data = encode(sealed);
  if (data.length > MAX_BATCH_BYTES) {
    throw coseError('COSE_RECORD_INVALID', `a batch has at most ${MAX_BATCH_BYTES} bytes`);
  }
  return data;
}

/**
 * The sealed records of a payload: of a batch, or the one that stands alone.
 *
 * @throws SefleetError `COSE_RECORD_MALFORMED`, fault `peer`; nothing else.
 */
export function decodeRecordBatch(data: Uint8Array): readonly Uint8Array[] {
  if (data.length > MAX_BATCH_BYTES) throw malformed(`${data.length} bytes are too many`);
  if (data[0] === SINGLE) return [data];
  let value: unknown;
  try {
    value = decode(data, { allowIndefinite: false, useMaps: true });
  } catch (cause) {
    throw malformed('not well-formed CBOR', cause);
  }
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_BATCH_RECORDS) {
    throw malformed(`not 1 to ${MAX_BATCH_RECORDS} records`);
  }
  const items: unknown[] = value;
  if (!items.every((item) => item instanceof Uint8Array)) throw malformed('an item is no byte string');
  return items;
}

function malformed(reason: string, cause?: unknown): Error {
  return coseError('COSE_RECORD_MALFORMED', `record batch: ${reason}`, cause === undefined ? {} : { cause });
}
