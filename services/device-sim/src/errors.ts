import { SefleetError } from '@sefleet/errors';
import type { Fault, SefleetErrorOptions } from '@sefleet/errors';

/** The errors of this service, by code. `docs/errors.md` is generated from it. */
export const SIMULATION_ERRORS = {
  SIM_FLEET_EXISTS: { fault: 'caller', doc: 'A fleet runs already; one process runs one fleet.' },
  SIM_FLEET_PRECONDITION: { fault: 'caller', doc: 'The call needs a fleet, and none has been started.' },
  SIM_PLAN_INVALID: {
    fault: 'caller',
    doc: 'The fleet that was asked for is empty, too large or of no known kind.',
  },
  SIM_STORE_FAILED: { fault: 'environment', doc: "The fleet's database cannot be opened, read or written." },
  SIM_STORE_DAMAGED: {
    fault: 'environment',
    doc: "The fleet's database holds what this version cannot read.",
  },
  SIM_CARD_UNUSABLE: {
    fault: 'peer',
    doc: 'A delivered card has no applet that seals records, or cannot be read.',
  },
  SIM_CARD_NOT_FOUND: { fault: 'caller', doc: 'No device of the running fleet has that name.' },
  SIM_CARD_IN_USE: {
    fault: 'caller',
    doc: 'Another visitor (reader, RACS client, command line) has the card.',
  },
  SIM_CARD_WATCHED: { fault: 'caller', doc: 'Too many callers watch this card at once.' },
  SIM_CARD_IMAGE_REFUSED: {
    fault: 'caller',
    doc: 'The image is older than the card, of a copy that went its own way, of another card or damaged; the card stays as it is.',
  },
  SIM_CARD_DIALOGUE: {
    fault: 'caller',
    doc: 'A dialogue with a card broke its order: name first, then commands.',
  },
  SIM_RACS_LISTEN: { fault: 'environment', doc: 'The RACS server cannot take its port.' },
  SIM_RACS_TABLES: { fault: 'caller', doc: 'The file with the RACS users cannot be read.' },
  SIM_URI_INVALID: { fault: 'peer', doc: 'A server account names a URI that the device cannot use.' },
  SIM_ACCOUNT_UNUSABLE: {
    fault: 'peer',
    doc: 'The credentials of a server account cannot be used, or the server is not the one it names.',
  },
  SIM_CONNECTION_REFUSED: {
    fault: 'peer',
    doc: 'A server did not take a connection; `context.alert` is the TLS alert, when there was one.',
  },
  SIM_BROKER_UNAVAILABLE: { fault: 'environment', doc: 'There is no connection with the MQTT broker.' },
  SIM_REHEARSAL_FORBIDDEN: {
    fault: 'caller',
    doc: "The caller's certificate does not allow it to keep the time of a rehearsal.",
  },
  SIM_CERTIFICATE_INVALID: {
    fault: 'peer',
    doc: 'The device certificate cannot issue a session certificate.',
  },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** A code of {@link SIMULATION_ERRORS}. */
export type SimulationErrorCode = keyof typeof SIMULATION_ERRORS;

/** The error of `code`, with the fault that the catalogue gives it. */
export function simulationError(
  code: SimulationErrorCode,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, SIMULATION_ERRORS[code].fault, message, options);
}
