import { SefleetError } from '@sefleet/errors';
import type { Fault, SefleetErrorOptions } from '@sefleet/errors';

/** Every error that the server side throws: its fault and what it means. */
export const LWM2M_SERVER_ERRORS = {
  LWM2M_DEVICE_NOT_FOUND: { fault: 'caller', doc: 'No device is registered under that endpoint name.' },
  LWM2M_DEVICE_UNAVAILABLE: {
    fault: 'environment',
    doc: 'The device is registered, but asleep or without a connection, and the caller did not want to wait.',
  },
  LWM2M_OPERATION_TIMEOUT: {
    fault: 'environment',
    doc: 'The device did not answer, or did not wake, in time.',
  },
  LWM2M_OPERATION_QUEUE_FULL: {
    fault: 'environment',
    doc: 'Too many operations wait for the device to wake.',
  },
  LWM2M_OPERATION_INVALID: {
    fault: 'caller',
    doc: 'The operation does not exist for such a path, or its arguments cannot be sent.',
  },
  LWM2M_ANSWER_INVALID: { fault: 'peer', doc: 'The answer of the device does not decode.' },
  LWM2M_BOOTSTRAP_FAILED: { fault: 'peer', doc: 'The device refused a step of its bootstrap.' },
  LWM2M_STORE_FAILED: { fault: 'environment', doc: 'The registration store cannot write.' },
  APDU_SCRIPT_INVALID: { fault: 'peer', doc: 'A script of APDUs is truncated or too long.' },
} as const satisfies Record<string, { fault: Fault; doc: string }>;

/** The codes of {@link LWM2M_SERVER_ERRORS}. */
export type Lwm2mServerErrorCode = keyof typeof LWM2M_SERVER_ERRORS;

/** An error of the server side, with the fault that the catalogue gives its code. */
export function serverError(
  code: Lwm2mServerErrorCode,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, LWM2M_SERVER_ERRORS[code].fault, message, options);
}
