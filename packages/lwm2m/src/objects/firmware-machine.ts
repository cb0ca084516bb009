/** States of Firmware Update, object 5, by the numbers of its resource 3. */
export const FIRMWARE_STATE = { IDLE: 0, DOWNLOADING: 1, DOWNLOADED: 2, UPDATING: 3 } as const;
export type FirmwareState = (typeof FIRMWARE_STATE)[keyof typeof FIRMWARE_STATE];

/** Results, by the numbers of its resource 5. */
export const FIRMWARE_RESULT = {
  INITIAL: 0,
  SUCCESS: 1,
  NOT_ENOUGH_FLASH: 2,
  OUT_OF_RAM: 3,
  CONNECTION_LOST: 4,
  INTEGRITY_CHECK_FAILED: 5,
  UNSUPPORTED_PACKAGE: 6,
  INVALID_URI: 7,
  UPDATE_FAILED: 8,
  UNSUPPORTED_PROTOCOL: 9,
  CANCELLED: 10,
  DEFERRED: 11,
} as const;
export type FirmwareResult = (typeof FIRMWARE_RESULT)[keyof typeof FIRMWARE_RESULT];

export type FirmwareInput =
  /** A package was written, or a URI from which to get one. */
  | 'begin'
  /** The package is there and the secure element accepts it. */
  | 'accepted'
  /** The package cannot be had, or is refused. */
  | 'rejected'
  /** The server executes Update. */
  | 'update'
  | 'applied'
  | 'apply-failed'
  /** An empty package or URI was written. */
  | 'reset'
  /** The server executes Cancel. */
  | 'cancel';

export interface FirmwareStep {
  readonly state: FirmwareState;
  /** The new result; undefined keeps the one given with the input. */
  readonly result?: FirmwareResult;
}

const { IDLE, DOWNLOADING, DOWNLOADED, UPDATING } = FIRMWARE_STATE;
const RESET: FirmwareStep = { state: IDLE, result: FIRMWARE_RESULT.INITIAL };
const CANCEL: FirmwareStep = { state: IDLE, result: FIRMWARE_RESULT.CANCELLED };

/** The state diagram of object 5 (Core appendix E.6): state x input -> next state and result. */
const TABLE: Readonly<Record<FirmwareState, Partial<Record<FirmwareInput, FirmwareStep>>>> = {
  [IDLE]: { begin: { state: DOWNLOADING, result: FIRMWARE_RESULT.INITIAL }, reset: RESET },
  [DOWNLOADING]: { accepted: { state: DOWNLOADED }, rejected: { state: IDLE }, reset: RESET, cancel: CANCEL },
  [DOWNLOADED]: { update: { state: UPDATING }, reset: RESET, cancel: CANCEL },
  [UPDATING]: {
    applied: { state: IDLE, result: FIRMWARE_RESULT.SUCCESS },
    // An update that failed keeps its package, so that it can be tried again.
    'apply-failed': { state: DOWNLOADED, result: FIRMWARE_RESULT.UPDATE_FAILED },
  },
};

/** The step for an input; undefined when the state does not allow it. */
export function firmwareStep(state: FirmwareState, input: FirmwareInput): FirmwareStep | undefined {
  return TABLE[state][input];
}
