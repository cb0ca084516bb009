import { globalPlatformError } from '../errors.ts';

/** A response APDU: data and the status word SW1SW2. */
export interface ResponseApdu {
  readonly data: Uint8Array;
  readonly sw: number;
}

/**
 * A response APDU; `data` is a view on `bytes`.
 *
 * @throws SefleetError `GP_APDU_MALFORMED` when there are fewer than two bytes.
 */
export function decodeResponse(bytes: Uint8Array): ResponseApdu {
  const end = bytes.length - 2;
  const sw1 = bytes[end];
  const sw2 = bytes[end + 1];
  if (sw1 === undefined || sw2 === undefined) {
    throw globalPlatformError('GP_APDU_MALFORMED', 'a response APDU has at least two bytes', {
      context: { length: bytes.length },
    });
  }
  return { data: bytes.subarray(0, end), sw: (sw1 << 8) | sw2 };
}

/** The bytes of a response APDU. */
export function encodeResponse(response: ResponseApdu): Uint8Array {
  const length = response.data.length;
  const bytes = new Uint8Array(length + 2);
  bytes.set(response.data);
  bytes[length] = response.sw >> 8;
  bytes[length + 1] = response.sw;
  return bytes;
}
