import type { CommandApdu } from '../apdu/command-apdu.ts';
import { gpCommand, INS } from './command.ts';

/** P1 of SET STATUS (GPCS 2.3.1 table 11-84). */
export const SET_STATUS_SCOPE = { CARD: 0x80, APPLICATION: 0x40, DOMAIN_AND_ITS_APPLICATIONS: 0x60 } as const;

/** SET STATUS: moves the card, an application or a domain to `state`; bit 80 locks, its absence unlocks. */
export function setStatusCommand(
  scope: (typeof SET_STATUS_SCOPE)[keyof typeof SET_STATUS_SCOPE],
  state: number,
  object: Uint8Array = new Uint8Array(0),
): CommandApdu {
  return gpCommand(INS.SET_STATUS, scope, state, object);
}
