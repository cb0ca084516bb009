import { SefleetError, type Fault, type SefleetErrorOptions } from '@sefleet/errors';

/** What can go wrong for a client of a RACS server, by stable code. */
export const RACS_ERRORS = {
  RACS_LINE_TOO_LONG: { fault: 'peer', doc: 'A line is longer than the limit; the connection is closed.' },
  RACS_RESPONSE_FORMAT: {
    fault: 'peer',
    doc: 'The server answered with something that is no RACS response.',
  },
  RACS_CONNECTION_CLOSED: {
    fault: 'environment',
    doc: 'The connection ended before the whole response had come.',
  },
  RACS_REFUSED: { fault: 'peer', doc: 'The server answered a command with an error status.' },
  RACS_COMMAND_INVALID: {
    fault: 'caller',
    doc: 'A command cannot be written as one line: a line end or blank in a name.',
  },
} as const satisfies Readonly<Record<string, { readonly fault: Fault; readonly doc: string }>>;

/** An error of this room with the fault of its code. */
export function racsError(
  code: keyof typeof RACS_ERRORS,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, RACS_ERRORS[code].fault, message, options);
}
