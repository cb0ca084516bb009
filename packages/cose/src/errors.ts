import { SefleetError, type Fault, type SefleetErrorOptions } from '@sefleet/errors';

/** Every code that this package throws. `docs/errors.md` is generated from it. */
export const COSE_ERRORS = {
  COSE_MALFORMED: { fault: 'peer', doc: 'The bytes are no COSE_Encrypt0 object, or break its limits.' },
  COSE_ALGORITHM_UNSUPPORTED: {
    fault: 'peer',
    doc: 'The protected header names no content encryption algorithm of RFC 9053 that is known here.',
  },
  COSE_CRITICAL_UNSUPPORTED: {
    fault: 'peer',
    doc: 'The header marks a parameter as critical that is not understood.',
  },
  COSE_AUTHENTICATION_FAILED: {
    fault: 'peer',
    doc: 'The ciphertext does not verify: another key, other external data, or it was changed on its way.',
  },
  COSE_KEY_INVALID: { fault: 'caller', doc: 'A key, master key or IV is not of the length that is needed.' },
  COSE_TOO_LONG: { fault: 'caller', doc: 'What is to be sealed does not fit a COSE_Encrypt0 of 64 KiB.' },
  COSE_RECORD_MALFORMED: {
    fault: 'peer',
    doc: 'A telemetry record, its key identifier, IV or batch breaks its format or limits.',
  },
  COSE_RECORD_INVALID: { fault: 'caller', doc: 'A telemetry record to be encoded is out of its limits.' },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** A code of {@link COSE_ERRORS}. */
export type CoseErrorCode = keyof typeof COSE_ERRORS;

/** The error of `code`, with the fault that the catalogue gives it. */
export function coseError(code: CoseErrorCode, message: string, options?: SefleetErrorOptions): SefleetError {
  return new SefleetError(code, COSE_ERRORS[code].fault, message, options);
}
