import type { CommandApdu } from '../apdu/command-apdu.ts';

/** Any length of response, in the short form. */
export const LE_ANY = 0x100;

const GLOBALPLATFORM_CLASS = 0x80;

/** A GlobalPlatform command that expects a response. */
export function gpCommand(ins: number, p1: number, p2: number, data: Uint8Array): CommandApdu {
  return { cla: GLOBALPLATFORM_CLASS, ins, p1, p2, data, le: LE_ANY };
}

/** Instruction bytes (GPCS 2.3.1 table 11-1; ISO/IEC 7816-4). */
export const INS = {
  MANAGE_CHANNEL: 0x70,
  SELECT: 0xa4,
  GET_RESPONSE: 0xc0,
  GET_DATA: 0xca,
  GET_DATA_ODD: 0xcb,
  INITIALIZE_UPDATE: 0x50,
  EXTERNAL_AUTHENTICATE: 0x82,
  INTERNAL_AUTHENTICATE: 0x88,
  PERFORM_SECURITY_OPERATION: 0x2a,
  PUT_KEY: 0xd8,
  STORE_DATA: 0xe2,
  DELETE: 0xe4,
  INSTALL: 0xe6,
  LOAD: 0xe8,
  SET_STATUS: 0xf0,
  GET_STATUS: 0xf2,
} as const;
