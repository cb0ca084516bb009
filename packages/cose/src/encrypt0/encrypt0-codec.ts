import { decode, encode, Tagged } from 'cborg';
import { coseError } from '../errors.ts';

/** A COSE_Encrypt0 object (RFC 9052 §5.2) as far as sefleet uses it. */
export interface Encrypt0 {
  /** Header parameter 1. */
  readonly algorithm: number;
  /** True when the algorithm stands in the unprotected bucket, where nothing authenticates it. */
  readonly algorithmUnprotected?: boolean;
  /** Header parameter 4, unprotected. */
  readonly keyId?: Uint8Array;
  /** Header parameter 5, unprotected: the nonce, whole. */
  readonly iv: Uint8Array;
  /** With the authentication tag at its end. */
  readonly ciphertext: Uint8Array;
  /**
   * The protected bucket as it was on the wire, since it is authenticated byte by byte. Made anew when
   * absent.
   */
  readonly protectedHeader?: Uint8Array;
  /** False for an object without the CBOR tag 16. */
  readonly tagged?: boolean;
}

/** The largest object that is looked at: a record takes about 150 bytes, a datagram at most 64 KiB. */
export const MAX_ENCRYPT0_BYTES = 65_536;

/** Header parameters beyond the ones that are understood; more only serve to keep a decoder busy. */
const MAX_HEADER_PARAMETERS = 16;
const ENCRYPT0_TAG = 16;
const ALG = 1;
const CRIT = 2;
const KID = 4;
const IV = 5;
const PARTIAL_IV = 6;

/**
 * The bytes of an object, with tag 16 unless `tagged` is false.
 *
 * @throws SefleetError `COSE_TOO_LONG`, fault `caller`.
 */
export function encodeEncrypt0(object: Encrypt0): Uint8Array {
  const protectedHeader = object.protectedHeader ?? encodeProtectedHeader(object.algorithm);
  const unprotected = new Map<number, unknown>([[IV, object.iv]]);
  if (object.algorithmUnprotected === true) unprotected.set(ALG, object.algorithm);
  if (object.keyId !== undefined) unprotected.set(KID, object.keyId);
  const parts = [protectedHeader, unprotected, object.ciphertext];
  const data = encode(object.tagged === false ? parts : new Tagged(ENCRYPT0_TAG, parts));
  if (data.length > MAX_ENCRYPT0_BYTES) {
    throw coseError('COSE_TOO_LONG', `a COSE_Encrypt0 of ${data.length} bytes`);
  }
  return data;
}

/** The protected bucket `{1: algorithm}`. */
export function encodeProtectedHeader(algorithm: number): Uint8Array {
  return encode(new Map([[ALG, algorithm]]));
}

/**
 * Reads one object, all of `data`. Unknown header parameters are passed over (RFC 9052 §3), a partial IV and
 * detached ciphertext are not supported. What is returned are views on `data` or copies: `data` must not
 * change afterwards.
 *
 * @throws SefleetError `COSE_MALFORMED` or `COSE_CRITICAL_UNSUPPORTED`, fault `peer`; nothing else.
 */
export function decodeEncrypt0(data: Uint8Array): Encrypt0 {
  if (data.length > MAX_ENCRYPT0_BYTES) throw malformed(`${data.length} bytes are too many`);
  const whole = decodeCbor(data);
  const tagged = whole instanceof Tagged;
  const parts: unknown = tagged ? whole.value : whole;
  if (!Array.isArray(parts) || parts.length !== 3) throw malformed('not an array of three');
  const [protectedHeader, unprotected, ciphertext]: unknown[] = parts;
  if (!(protectedHeader instanceof Uint8Array)) throw malformed('the protected header is no byte string');
  if (!(ciphertext instanceof Uint8Array)) throw malformed('the ciphertext is no byte string');
  const outer = headerOf(unprotected);
  // RFC 9052 §3: a zero-length string stands for an empty map.
  const inner =
    protectedHeader.length === 0 ? new Map<unknown, unknown>() : headerOf(decodeCbor(protectedHeader));
  for (const label of inner.keys())
    if (outer.has(label)) throw malformed('a header parameter stands in both buckets');
  // RFC 9052 §3.1: crit lists what has to be understood; beyond the parameters above nothing is.
  if (inner.has(CRIT) || outer.has(CRIT)) {
    throw coseError(
      'COSE_CRITICAL_UNSUPPORTED',
      'the header has critical parameters that are not understood',
    );
  }
  const algorithm = inner.get(ALG) ?? outer.get(ALG);
  if (typeof algorithm !== 'number') throw malformed('no algorithm, or one that is no number');
  const iv = bytesOf(outer.get(IV) ?? inner.get(IV), 'the IV');
  if (outer.has(PARTIAL_IV) || inner.has(PARTIAL_IV) || iv === undefined) throw malformed('no whole IV');
  const keyId = bytesOf(outer.get(KID) ?? inner.get(KID), 'the key identifier');
  return {
    algorithm,
    ...(outer.has(ALG) ? { algorithmUnprotected: true } : {}),
    ...(keyId === undefined ? {} : { keyId }),
    iv,
    ciphertext,
    protectedHeader,
    tagged,
  };
}

function headerOf(value: unknown): ReadonlyMap<unknown, unknown> {
  if (!(value instanceof Map)) throw malformed('a header is no map');
  if (value.size > MAX_HEADER_PARAMETERS) throw malformed('too many header parameters');
  for (const label of value.keys()) {
    if (typeof label !== 'number' && typeof label !== 'string') throw malformed('a header label is no label');
  }
  return value;
}

function bytesOf(value: unknown, what: string): Uint8Array | undefined {
  if (value === undefined || value instanceof Uint8Array) return value;
  throw malformed(`${what} is no byte string`);
}

function decodeCbor(data: Uint8Array): unknown {
  try {
    return decode(data, {
      useMaps: true,
      rejectDuplicateMapKeys: true,
      allowIndefinite: false,
      tags: { [ENCRYPT0_TAG]: Tagged.decoder(ENCRYPT0_TAG) },
    });
  } catch (cause) {
    throw malformed('not well-formed CBOR', cause);
  }
}

function malformed(reason: string, cause?: unknown): Error {
  return coseError('COSE_MALFORMED', `COSE_Encrypt0: ${reason}`, cause === undefined ? {} : { cause });
}
