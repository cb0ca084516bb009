import { SefleetError } from '@sefleet/errors';
import type { Fault } from '@sefleet/errors';

/** The errors of this room, by code. `docs/errors.md` is generated from it. */
export const GLOBALPLATFORM_ERRORS = {
  GP_APDU_MALFORMED: { fault: 'peer', doc: 'The bytes are no command or response APDU of ISO/IEC 7816-4.' },
  GP_APDU_TOO_LONG: { fault: 'caller', doc: 'A command does not fit an APDU, with its secure messaging.' },
  GP_TLV_MALFORMED: { fault: 'peer', doc: 'A BER-TLV or DGI structure is truncated or inconsistent.' },
  GP_TLV_UNEXPECTED: { fault: 'peer', doc: 'A mandatory data object is missing or not of its form.' },
  GP_AID_INVALID: { fault: 'caller', doc: 'An application identifier is not of 5 to 16 bytes.' },
  GP_KEY_INVALID: { fault: 'caller', doc: 'A key is not of a length or kind that the protocol knows.' },
  GP_LEVEL_INVALID: { fault: 'caller', doc: 'The security level asked for does not exist in this channel.' },
  GP_CARD_NOT_AUTHENTIC: {
    fault: 'peer',
    doc: 'The card cryptogram or receipt is wrong: other keys, another derivation, or another card.',
  },
  GP_RESPONSE_MAC_INVALID: { fault: 'peer', doc: 'The MAC of a response is wrong; the session is over.' },
  GP_SESSION_CLOSED: { fault: 'caller', doc: 'The secure channel session is over; open a new one.' },
  GP_STATUS_WORD: {
    fault: 'peer',
    doc: 'The card answered with a status word that is not the expected one.',
  },
  GP_TOKEN_INVALID: { fault: 'peer', doc: 'A delegated-management token does not verify.' },
  GP_RECEIPT_INVALID: { fault: 'peer', doc: 'A receipt does not verify or its counter does not follow.' },
  GP_CERTIFICATE_INVALID: {
    fault: 'peer',
    doc: 'A GlobalPlatform certificate is malformed or not signed by the CA.',
  },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** A code of {@link GLOBALPLATFORM_ERRORS}. */
export type GlobalPlatformErrorCode = keyof typeof GLOBALPLATFORM_ERRORS;

/** The error of `code`, with the fault that the catalogue gives it. */
export function globalPlatformError(
  code: GlobalPlatformErrorCode,
  message: string,
  options: {
    readonly context?: Readonly<Record<string, unknown>>;
    readonly cause?: unknown;
    readonly hint?: string;
  } = {},
): SefleetError {
  return new SefleetError(code, GLOBALPLATFORM_ERRORS[code].fault, message, options);
}
