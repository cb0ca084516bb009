/** Status words SW1SW2 (ISO/IEC 7816-4 §5.6; GPCS 2.3.1 §11). */
export const STATUS_WORD = {
  OK: 0x9000,
  SELECTED_LOCKED: 0x6283,
  AUTHENTICATION_FAILED: 0x6300,
  MORE_DATA_AVAILABLE: 0x6310,
  MEMORY_FAILURE: 0x6581,
  WRONG_LENGTH: 0x6700,
  CHANNEL_NOT_SUPPORTED: 0x6881,
  SECURE_MESSAGING_NOT_SUPPORTED: 0x6882,
  LAST_COMMAND_OF_CHAIN_EXPECTED: 0x6883,
  CHAINING_NOT_SUPPORTED: 0x6884,
  SECURITY_STATUS_NOT_SATISFIED: 0x6982,
  AUTHENTICATION_METHOD_BLOCKED: 0x6983,
  REFERENCE_DATA_NOT_USABLE: 0x6984,
  CONDITIONS_NOT_SATISFIED: 0x6985,
  COMMAND_NOT_ALLOWED: 0x6986,
  INCORRECT_SECURE_MESSAGING: 0x6988,
  WRONG_DATA: 0x6a80,
  FUNCTION_NOT_SUPPORTED: 0x6a81,
  NOT_FOUND: 0x6a82,
  NOT_ENOUGH_MEMORY: 0x6a84,
  INCORRECT_P1_P2: 0x6a86,
  REFERENCED_DATA_NOT_FOUND: 0x6a88,
  FILE_EXISTS: 0x6a89,
  INS_NOT_SUPPORTED: 0x6d00,
  SIGNATURE_INVALID: 0x6d01,
  CLA_NOT_SUPPORTED: 0x6e00,
  NO_PRECISE_DIAGNOSIS: 0x6f00,
  ALGORITHM_NOT_SUPPORTED: 0x9484,
  INVALID_KEY_CHECK_VALUE: 0x9485,
} as const;

const MEANING: Readonly<Record<number, string>> = {
  0x9000: 'success',
  0x6200: 'warning: application logically deleted or state unchanged',
  0x6283: 'the selected card, domain or application is locked',
  0x6300: 'authentication failed',
  0x6310: 'more data available: ask for the next part',
  0x6381: 'file filled up by the last write',
  0x6581: 'memory failure',
  0x6700: 'wrong length',
  0x6881: 'logical channel not supported or not open',
  0x6882: 'secure messaging not supported',
  0x6883: 'last command of the chain expected',
  0x6884: 'command chaining not supported',
  0x6982: 'security status not satisfied',
  0x6983: 'authentication method blocked',
  0x6984: 'reference data not usable',
  0x6985: 'conditions of use not satisfied',
  0x6986: 'command not allowed, no application selected',
  0x6988: 'incorrect secure messaging data objects',
  0x6a80: 'incorrect values in the data field',
  0x6a81: 'function not supported',
  0x6a82: 'application or file not found',
  0x6a84: 'not enough memory',
  0x6a86: 'incorrect P1 P2',
  0x6a88: 'referenced data not found',
  0x6a89: 'already exists',
  0x6d00: 'instruction not supported',
  0x6d01: 'signature verification failed',
  0x6e00: 'class not supported',
  0x6f00: 'no precise diagnosis',
  0x9484: 'algorithm not supported',
  0x9485: 'invalid key check value',
};

/**
 * What a status word means, for people; it names the counter of `63Cx` and the length of `61xx` and `6Cxx`.
 */
export function describeStatusWord(sw: number): string {
  const known = MEANING[sw];
  if (known !== undefined) return known;
  const low = sw & 0xff;
  if (sw >> 8 === 0x61) return `${low === 0 ? 256 : low} more response bytes: GET RESPONSE`;
  if (sw >> 8 === 0x6c) return `wrong Le: ${low === 0 ? 256 : low} bytes are there`;
  if (sw >> 4 === 0x63c) return `verification failed, ${sw & 0xf} tries left`;
  return 'unknown status';
}

/**
 * `9000`, or a warning (`62xx`, `63xx`): the command was processed, and its response is protected by R-MAC.
 */
export function isProcessed(sw: number): boolean {
  return sw === STATUS_WORD.OK || sw >> 8 === 0x62 || sw >> 8 === 0x63;
}
