import { ByteReader, ByteReaderError } from '@sefleet/bytes';
import { SefleetError, type Fault, type SefleetErrorOptions } from '@sefleet/errors';
import { AlertDescription } from './constants.ts';
import type { HandshakeFailureReason } from './settings.ts';

/** Every code that this package throws. */
export const DTLS_ERRORS = {
  DTLS_DECODE: { fault: 'peer', doc: 'A record or handshake message breaks its format.' },
  DTLS_HANDSHAKE_FAILED: {
    fault: 'peer',
    doc: 'No session came about; `context.reason` says why, `context.alert` is the alert sent or received.',
  },
  DTLS_CERTIFICATE_REFUSED: {
    fault: 'peer',
    doc: 'A certificate chain failed validation; `context.reason` says which check.',
  },
  DTLS_SETTINGS: { fault: 'caller', doc: 'Settings contradict each other or lie outside of their range.' },
  DTLS_SESSION_IMPORT: { fault: 'caller', doc: 'Exported sessions are damaged or of another version.' },
  DTLS_ENDPOINT_CLOSED: { fault: 'caller', doc: 'The endpoint was closed before or while it connected.' },
} as const satisfies Record<string, { readonly fault: Fault; readonly doc: string }>;

export function dtlsError(
  code: keyof typeof DTLS_ERRORS,
  message: string,
  options?: SefleetErrorOptions,
): SefleetError {
  return new SefleetError(code, DTLS_ERRORS[code].fault, message, options);
}

/** Ends a handshake: thrown by whatever finds the fault, turned into an alert and a counter where it runs. */
export class HandshakeFailure extends SefleetError {
  readonly reason: HandshakeFailureReason;
  /** To be sent to the peer, or what it sent; undefined when nobody is told. */
  readonly alert: number | undefined;

  constructor(reason: HandshakeFailureReason, alert: number | undefined, message: string, cause?: unknown) {
    super('DTLS_HANDSHAKE_FAILED', FAULT_OF[reason] ?? 'peer', message, {
      context: { reason, alert },
      ...(cause === undefined ? {} : { cause }),
    });
    this.reason = reason;
    this.alert = alert;
  }
}

const FAULT_OF: Partial<Record<HandshakeFailureReason, Fault>> = {
  timeout: 'environment',
  keyProvider: 'internal',
  shutdown: 'caller',
  limit: 'environment',
};

export function illegalParameter(message: string): HandshakeFailure {
  return new HandshakeFailure('illegalParameter', AlertDescription.illegal_parameter, message);
}

export function insufficient(message: string): HandshakeFailure {
  return new HandshakeFailure('insufficientSecurity', AlertDescription.handshake_failure, message);
}

/**
 * Runs a decoder on all of `data`; truncation, trailing bytes and wrong lengths come out as `DTLS_DECODE`.
 */
export function decodeAll<T>(what: string, data: Uint8Array, decode: (reader: ByteReader) => T): T {
  try {
    const reader = new ByteReader(data);
    const value = decode(reader);
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof ByteReaderError) {
      throw dtlsError('DTLS_DECODE', `${what}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

export function decodeError(message: string): SefleetError {
  return dtlsError('DTLS_DECODE', message);
}
