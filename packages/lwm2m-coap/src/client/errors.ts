import { SefleetError } from '@sefleet/errors';
import type { Fault, SefleetErrorOptions } from '@sefleet/errors';

/** Every error that the client side throws: its fault and what it means. */
export const LWM2M_CLIENT_ERRORS = {
  LWM2M_BOOTSTRAP_REFUSED: {
    fault: 'peer',
    doc: 'The bootstrap server refused the request, or what it wrote makes no sense.',
  },
  LWM2M_BOOTSTRAP_TIMEOUT: { fault: 'environment', doc: 'The bootstrap did not go on in time.' },
  LWM2M_REGISTRATION_FAILED: {
    fault: 'environment',
    doc: 'Every retry of the registration is used up and no bootstrap is left to try.',
  },
  LWM2M_NO_ACCOUNT: {
    fault: 'caller',
    doc: 'The device has neither a server account nor that of a bootstrap server.',
  },
  LWM2M_SEND_DROPPED: {
    fault: 'environment',
    doc: 'The outbox was full of newer records before the Send could go out.',
  },
  LWM2M_SEND_REFUSED: { fault: 'peer', doc: 'The server refused the Send for good (4.xx).' },
  LWM2M_SEND_MUTED: { fault: 'caller', doc: 'The server has muted Send (resource 23 of its account).' },
  LWM2M_DOWNLOAD_FAILED: {
    fault: 'environment',
    doc: 'The firmware repository of a package URI refuses the package.',
  },
  LWM2M_CLIENT_STOPPED: { fault: 'caller', doc: 'The client was stopped.' },
} as const satisfies Record<string, { fault: Fault; doc: string }>;

/** The codes of {@link LWM2M_CLIENT_ERRORS}. */
export type Lwm2mClientErrorCode = keyof typeof LWM2M_CLIENT_ERRORS;

/** An error of the client side, with the fault that the catalogue gives its code. */
export function clientError(
  code: Lwm2mClientErrorCode,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, LWM2M_CLIENT_ERRORS[code].fault, message, options);
}
