import { SefleetError, type Fault, type SefleetErrorOptions } from '@sefleet/errors';

/** The errors of this room, by code. */
export const EVIDENCE_ERRORS = {
  EVIDENCE_MALFORMED: {
    fault: 'caller',
    doc: 'A file is no evidence bundle of a version that is known here.',
  },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** The error of `code`, with the fault that the catalogue gives it. */
export function evidenceError(
  code: keyof typeof EVIDENCE_ERRORS,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, EVIDENCE_ERRORS[code].fault, message, options);
}
