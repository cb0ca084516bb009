import { toHex } from '@sefleet/bytes';

/** SELECT by name, first or only occurrence, on the basic channel (ISO/IEC 7816-4 §11.2.2). */
const SELECT = { INS: 0xa4, P1_BY_NAME: 0x04 } as const;
const MANAGE_CHANNEL_INS = 0x70;
const HEADER_BYTES = 5;

/** What a command APDU does to the choice of the application that later commands go to. */
export type Selection =
  | { readonly kind: 'select'; readonly aid: string }
  | { readonly kind: 'other' }
  | undefined;

/**
 * Reads the part of a command that says where it goes: `select` with the AID, `other` for what could reach
 * another application without naming it (other forms of SELECT, logical channels), undefined for a plain
 * command.
 */
export function selectionOf(command: Uint8Array): Selection {
  const [cla = 0, ins = 0, p1 = 0, , lc = 0] = command;
  // Bits of further channels (ISO/IEC 7816-4 §5.4.1): what they hold was selected elsewhere.
  const channel = (cla & 0x40) !== 0 ? (cla & 0x0f) + 4 : cla & 0x03;
  if (channel !== 0 || ins === MANAGE_CHANNEL_INS) return { kind: 'other' };
  if (ins !== SELECT.INS) return undefined;
  const aid = command.subarray(HEADER_BYTES, HEADER_BYTES + lc);
  if (p1 !== SELECT.P1_BY_NAME || lc === 0 || aid.length !== lc) return { kind: 'other' };
  return { kind: 'select', aid: toHex(aid).toUpperCase() };
}
