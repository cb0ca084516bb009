import { SefleetError, type Fault } from '@sefleet/errors';

/** The errors of the rehearsal ground, by code. */
export const GROUND_ERRORS = {
  GROUND_METER_NOT_FOUND: {
    fault: 'caller',
    doc: 'No meter with this endpoint name stands on the rehearsal ground.',
  },
  GROUND_METER_UNAVAILABLE: {
    fault: 'environment',
    doc: 'A meter of the rehearsal is away, or lost its power.',
  },
  GROUND_EXISTS: { fault: 'caller', doc: 'Another rehearsal was prepared in this data folder before.' },
  GROUND_NOT_SUPPORTED: { fault: 'caller', doc: 'Meters of a rehearsal know nothing of this operation.' },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** The error of `code`, with the fault that the catalogue gives it. */
export function groundError(code: keyof typeof GROUND_ERRORS, message: string): SefleetError {
  return new SefleetError(code, GROUND_ERRORS[code].fault, message);
}
