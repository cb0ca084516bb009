/** A command line of RACS, the Remote APDU Call Secure protocol (draft-urien-core-racs). */
export type RacsCommand =
  | { readonly name: 'BEGIN'; readonly label: string }
  | { readonly name: 'END' }
  | { readonly name: 'GET-VERSION' }
  | { readonly name: 'SET-VERSION'; readonly version: string }
  | { readonly name: 'LIST' }
  | { readonly name: 'POWERON'; readonly seid: string }
  | { readonly name: 'RESET'; readonly seid: string; readonly warm: boolean }
  | RacsApdu
  | { readonly name: 'SHUTDOWN'; readonly seid: string }
  | { readonly name: 'ECHO'; readonly text: string };

/** One APDU, and how the server goes on with what the secure element answers. */
export interface RacsApdu {
  readonly name: 'APDU';
  readonly seid: string;
  readonly apdu: Uint8Array;
  /** The request stops unless the final status word is this one. */
  readonly continueOn?: number;
  /** SW1 after which FETCH and SW2 are sent for more. */
  readonly more?: number;
  /** CLA INS P1 P2 of the command that fetches. */
  readonly fetch?: Uint8Array;
}

/** A command with its place in the request: BEGIN is line 0. */
export interface RacsLine {
  readonly line: number;
  readonly command: RacsCommand;
  /** The response stays in the answer even when it is not the last. */
  readonly append: boolean;
}

/** Why a command failed: the digit X of `-Xyz`. */
export const RACS_FAULT = {
  EXECUTION: 0,
  UNKNOWN_COMMAND: 1,
  NOT_IMPLEMENTED: 2,
  ILLEGAL_COMMAND: 3,
  ILLEGAL_PARAMETER: 4,
  SYNTAX: 5,
  UNAUTHORIZED: 6,
  IN_USE: 7,
  HARDWARE: 8,
  SYSTEM: 9,
} as const;

/** What the digits yz say: to which command a status line answers. */
export const RACS_COMMAND_CODE: Readonly<Record<RacsCommand['name'], number>> = {
  BEGIN: 1,
  END: 1,
  'GET-VERSION': 2,
  'SET-VERSION': 3,
  LIST: 4,
  RESET: 5,
  APDU: 6,
  SHUTDOWN: 7,
  POWERON: 8,
  ECHO: 9,
};

/** One status line of an answer. */
export interface RacsStatus {
  readonly ok: boolean;
  /** 0 when ok, else one of {@link RACS_FAULT}. */
  readonly fault: number;
  /** One of {@link RACS_COMMAND_CODE}; 0 when the command is not known. */
  readonly commandCode: number;
  readonly line: number;
  readonly text: string;
}

/** Port of a RACS server. */
export const RACS_PORT = 7777;
/** The version that GET-VERSION answers. */
export const RACS_VERSION = '0.2';
/** Longest label of BEGIN. */
export const RACS_MAX_LABEL = 64;
/** Lines of one request: their numbers have three digits. */
export const RACS_MAX_LINES = 999;
/** Bytes of one line: an APDU with 1,024 bytes of data fits, with room for its options. */
export const RACS_MAX_LINE_BYTES = 2304;
