import { SefleetError } from '@sefleet/errors';
import type { Fault } from '@sefleet/errors';

/** The errors of this room, by code. `docs/errors.md` is generated from it. */
export const SECURE_ELEMENT_ERRORS = {
  SE_STATUS_WORD: {
    fault: 'peer',
    doc: 'The card answers a command with this status word; never leaves the card.',
  },
  SE_IMAGE_MALFORMED: { fault: 'peer', doc: 'The bytes are no card image, or a damaged one.' },
  SE_IMAGE_ROLLED_BACK: { fault: 'peer', doc: 'The image is older than the card is known to have been.' },
  SE_IMAGE_FORKED: {
    fault: 'peer',
    doc: 'The image comes from a copy of the card that changed while the card itself changed as well.',
  },
  SE_IMAGE_FOREIGN: { fault: 'peer', doc: 'The image is of another card.' },
  SE_PROFILE_UNKNOWN: { fault: 'caller', doc: 'An image names a card profile that was not given.' },
  SE_PERSONALISATION_INVALID: {
    fault: 'caller',
    doc: 'The personalisation of a new card is out of its limits.',
  },
  SE_BOOTSTRAP_MALFORMED: {
    fault: 'peer',
    doc: 'The bootstrap information on a card is malformed or not found.',
  },
  SE_APPLET_UNAVAILABLE: {
    fault: 'peer',
    doc: 'The applet that a client needs cannot be selected on this card.',
  },
  SE_APPLET_REFUSED: {
    fault: 'peer',
    doc: 'An applet answered a client with a status word that is not success.',
  },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** A code of {@link SECURE_ELEMENT_ERRORS}. */
export type SecureElementErrorCode = keyof typeof SECURE_ELEMENT_ERRORS;

/** The error of `code`, with the fault that the catalogue gives it. */
export function secureElementError(
  code: SecureElementErrorCode,
  message: string,
  options: {
    readonly context?: Readonly<Record<string, unknown>>;
    readonly cause?: unknown;
    readonly hint?: string;
  } = {},
): SefleetError {
  return new SefleetError(code, SECURE_ELEMENT_ERRORS[code].fault, message, options);
}
