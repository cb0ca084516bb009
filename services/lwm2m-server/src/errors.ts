import { SefleetError } from '@sefleet/errors';
import type { Fault, SefleetErrorOptions } from '@sefleet/errors';

/** Every error that this service adds: its fault and what it means. */
export const LWM2M_SERVICE_ERRORS = {
  LWM2M_SOCKET_BIND: { fault: 'environment', doc: 'A port for devices cannot be taken.' },
  LWM2M_FFI_UNAVAILABLE: {
    fault: 'environment',
    doc: 'UDP through node:ffi is asked for and this process cannot have it.',
  },
  LWM2M_CERTIFICATE_REFUSED: {
    fault: 'peer',
    doc: 'A certificate is not one of a device that is known here.',
  },
  LWM2M_PLAIN_ENDPOINTS_INVALID: {
    fault: 'caller',
    doc: 'The names that may come without security cannot be read.',
  },
  LWM2M_STORE_UNAVAILABLE: { fault: 'environment', doc: 'The store of registrations cannot be opened.' },
  LWM2M_CREDENTIALS_UNAVAILABLE: {
    fault: 'environment',
    doc: 'Provisioning does not answer for credentials.',
  },
  LWM2M_APDU_REFUSED: { fault: 'peer', doc: 'The device refused a script of APDUs.' },
  LWM2M_APDU_LOCK_TIMEOUT: {
    fault: 'environment',
    doc: 'Another conversation held the secure element for too long.',
  },
  LWM2M_APDU_CHANNEL_TIMEOUT: {
    fault: 'caller',
    doc: 'A conversation with a secure element was idle for too long.',
  },
  LWM2M_REQUEST_INVALID: { fault: 'caller', doc: 'A northbound request has a field that cannot be used.' },
  LWM2M_ACCESS_FORBIDDEN: { fault: 'caller', doc: "The caller's certificate does not allow the operation." },
  LWM2M_ACCESS_FILE_INVALID: { fault: 'caller', doc: 'The file with the access rules cannot be used.' },
  LWM2M_TEMPLATE_FILE_INVALID: { fault: 'caller', doc: 'The file with bootstrap templates cannot be used.' },
  LWM2M_CAMPAIGN_NOT_FOUND: { fault: 'caller', doc: 'No campaign has that id.' },
  LWM2M_CAMPAIGN_EXISTS: {
    fault: 'caller',
    doc: 'A campaign with that id has another operation, or another caller started it.',
  },
  LWM2M_CAMPAIGN_PRECONDITION: { fault: 'caller', doc: "The campaign's state does not allow the action." },
  LWM2M_QUEUED_OPERATION_NOT_FOUND: { fault: 'caller', doc: 'No queued operation has that id.' },
  LWM2M_QUEUED_OPERATION_EXISTS: {
    fault: 'caller',
    doc: 'Another operation is queued with that id, or another caller queued it.',
  },
  LWM2M_QUEUE_FULL: { fault: 'environment', doc: 'Too many operations wait for their devices.' },
  LWM2M_OUTCOME_UNKNOWN: {
    fault: 'environment',
    doc: 'An operation that is not made twice may have been made: the device or the server went in the middle.',
  },
  LWM2M_SHARD_UNAVAILABLE: {
    fault: 'environment',
    doc: 'No server that answers has the device, and another server of the fleet does not answer.',
  },
  LWM2M_FIRMWARE_FAILED: { fault: 'peer', doc: 'The device did not take the firmware image.' },
  LWM2M_GATEWAY_TOO_LARGE: { fault: 'peer', doc: 'A gateway tells of more end devices than are taken.' },
  LWM2M_TREE_BOUND: {
    fault: 'peer',
    doc: "A device's tree has more objects or bytes, or takes longer, than one call allows.",
  },
  LWM2M_PAGE_TOKEN_INVALID: { fault: 'caller', doc: 'The page token is not one of this server.' },
} as const satisfies Record<string, { fault: Fault; doc: string }>;

/** The codes of {@link LWM2M_SERVICE_ERRORS}. */
export type Lwm2mServiceErrorCode = keyof typeof LWM2M_SERVICE_ERRORS;

/** An error of this service, with the fault that the catalogue gives its code. */
export function serviceError(
  code: Lwm2mServiceErrorCode,
  message: string,
  options: SefleetErrorOptions = {},
): SefleetError {
  return new SefleetError(code, LWM2M_SERVICE_ERRORS[code].fault, message, options);
}
