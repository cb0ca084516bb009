/**
 * Who is to blame for an error. It decides the log level, whether to try again and the answer on the wire.
 *
 * - `peer`: the other side sent something wrong. Counted, answered, never a crash.
 * - `caller`: the code or the person that called us asked for something impossible.
 * - `internal`: a fault of ours.
 * - `environment`: the machine, the network or a dependency failed.
 */
export type Fault = 'peer' | 'caller' | 'internal' | 'environment';

/** What an error knows beside its message. */
export interface SefleetErrorOptions {
  /** Facts for the reader; never keys, PSKs or payloads. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** What to do about it, in one sentence. */
  readonly hint?: string;
}

/**
 * The one error class of the project.
 *
 * `code` is stable (`COAP_OPTION_UNKNOWN_CRITICAL`), listed in `docs/errors.md`, and what programs match on;
 * the message is for people and may change.
 */
export class SefleetError extends Error {
  readonly code: string;
  readonly fault: Fault;
  readonly context: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(code: string, fault: Fault, message: string, options: SefleetErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SefleetError';
    this.code = code;
    this.fault = fault;
    this.context = options.context ?? {};
    this.hint = options.hint;
  }
}

/** True when `error` is a {@link SefleetError}, with `code` if one is given. */
export function isSefleetError(error: unknown, code?: string): error is SefleetError {
  return error instanceof SefleetError && (code === undefined || error.code === code);
}
