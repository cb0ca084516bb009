import { SefleetError, type Fault } from '@sefleet/errors';
import { Metadata, status, type ServiceError } from '@grpc/grpc-js';

/** Endings of error codes that have a gRPC status of their own; the fault decides for the others. */
const STATUS_BY_SUFFIX: readonly (readonly [string, status])[] = [
  ['_NOT_FOUND', status.NOT_FOUND],
  ['_EXISTS', status.ALREADY_EXISTS],
  ['_FORBIDDEN', status.PERMISSION_DENIED],
  ['_REVOKED', status.PERMISSION_DENIED],
  ['_UNAUTHENTICATED', status.UNAUTHENTICATED],
  ['_TIMEOUT', status.DEADLINE_EXCEEDED],
  ['_FULL', status.RESOURCE_EXHAUSTED],
  ['_CONFLICT', status.ABORTED],
  ['_PRECONDITION', status.FAILED_PRECONDITION],
  ['_UNAVAILABLE', status.UNAVAILABLE],
];

const STATUS_BY_FAULT: Readonly<Record<Fault, status>> = {
  caller: status.INVALID_ARGUMENT,
  peer: status.FAILED_PRECONDITION,
  environment: status.UNAVAILABLE,
  internal: status.INTERNAL,
};

/**
 * The gRPC answer for an error; what is not a {@link SefleetError} is a fault of ours and keeps its text to
 * itself.
 */
export function toServiceError(error: unknown): Partial<ServiceError> {
  if (!(error instanceof SefleetError)) return { code: status.INTERNAL, details: 'internal error' };
  const metadata = new Metadata();
  metadata.set('sefleet-code', error.code);
  metadata.set('sefleet-fault', error.fault);
  const bySuffix = STATUS_BY_SUFFIX.find(([suffix]) => error.code.endsWith(suffix));
  return {
    code: bySuffix?.[1] ?? STATUS_BY_FAULT[error.fault],
    details: error.hint === undefined ? error.message : `${error.message} (${error.hint})`,
    metadata,
  };
}

const FAULT_BY_STATUS: ReadonlyMap<status, Fault> = new Map([
  [status.UNAVAILABLE, 'environment'],
  [status.DEADLINE_EXCEEDED, 'environment'],
  [status.CANCELLED, 'environment'],
  [status.RESOURCE_EXHAUSTED, 'environment'],
  [status.INTERNAL, 'internal'],
  [status.UNKNOWN, 'internal'],
]);

/** What a caller of a remote service sees: the code that the service gave, or `GRPC_<status>`. */
export function fromServiceError(error: ServiceError, target: string): SefleetError {
  const [remote] = error.metadata?.get('sefleet-code') ?? [];
  const code = typeof remote === 'string' ? remote : `GRPC_${status[error.code] ?? 'UNKNOWN'}`;
  return new SefleetError(code, FAULT_BY_STATUS.get(error.code) ?? 'caller', `${target}: ${error.details}`, {
    context: { target, status: status[error.code] },
    cause: error,
  });
}
