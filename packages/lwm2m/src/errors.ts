import { SefleetError } from '@sefleet/errors';
import type { Fault, SefleetErrorOptions } from '@sefleet/errors';

/** Every error that this room throws: its fault and what it means. `docs/errors.md` is made from this. */
export const LWM2M_ERRORS = {
  LWM2M_BAD_REQUEST: { fault: 'peer', doc: 'The request breaks the data model or the operation: 4.00.' },
  LWM2M_UNAUTHORIZED: { fault: 'peer', doc: 'Access control refuses the operation to this server: 4.01.' },
  LWM2M_NOT_FOUND: { fault: 'peer', doc: 'No such object, instance, resource or resource instance: 4.04.' },
  LWM2M_METHOD_NOT_ALLOWED: { fault: 'peer', doc: 'The resource does not offer the operation: 4.05.' },
  LWM2M_NOT_ACCEPTABLE: { fault: 'peer', doc: 'No content format that the asker accepts fits: 4.06.' },
  LWM2M_CONFLICT: {
    fault: 'peer',
    doc: 'The instance exists already, or the state forbids the operation: 4.09.',
  },
  LWM2M_ENTITY_TOO_LARGE: { fault: 'peer', doc: 'A payload or a value exceeds its limit: 4.13.' },
  LWM2M_FORMAT_UNSUPPORTED: {
    fault: 'peer',
    doc: 'The content format is unknown or does not fit the path: 4.15.',
  },
  LWM2M_INTERNAL: { fault: 'internal', doc: 'A resource handler failed: 5.00.' },
  LWM2M_PATH_INVALID: { fault: 'peer', doc: 'The text is not an LwM2M path.' },
  LWM2M_CONTENT_INVALID: { fault: 'peer', doc: 'The payload does not decode in its content format: 4.00.' },
  LWM2M_VALUE_INVALID: { fault: 'caller', doc: 'The value does not fit the type of its resource.' },
  LWM2M_MODEL_INVALID: { fault: 'caller', doc: 'An object definition (DDF XML) cannot be read.' },
  LWM2M_CARD_FILE_INVALID: { fault: 'peer', doc: 'The bootstrap file of the smartcard is malformed.' },
} as const satisfies Record<string, { fault: Fault; doc: string }>;

/** The codes of {@link LWM2M_ERRORS}. */
export type Lwm2mErrorCode = keyof typeof LWM2M_ERRORS;

/** An error of this room, with the fault that the catalogue gives its code. */
export function lwm2mError(
  code: Lwm2mErrorCode,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, LWM2M_ERRORS[code].fault, message, options);
}
