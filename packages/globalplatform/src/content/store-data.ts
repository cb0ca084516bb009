import type { CommandApdu } from '../apdu/command-apdu.ts';
import { globalPlatformError } from '../errors.ts';
import { gpCommand, INS } from './command.ts';

/** Bits of P1 of STORE DATA (GPCS 2.3.1 table 11-89). */
export const STORE_DATA = {
  LAST: 0x80,
  ENCRYPTED: 0x60,
  DGI: 0x08,
  BER_TLV: 0x10,
  RESPONSE_EXPECTED: 0x01,
} as const;

/** Data per STORE DATA command: what 255 bytes leave after padding and a 16-byte MAC. */
const CHUNK = 223;
const MAX_BLOCKS = 256;

/** How a STORE DATA sequence is made. */
export interface StoreDataOptions {
  readonly format?: 'dgi' | 'ber-tlv' | 'none';
  /** True when sensitive parts are encrypted under the data encryption key. */
  readonly encrypted?: boolean;
  /** True when the last command asks for response data. */
  readonly responseExpected?: boolean;
  /** Block number of the first command. */
  readonly firstBlock?: number;
  /** False when more STORE DATA of the same personalisation follow. */
  readonly last?: boolean;
}

/** The STORE DATA commands that carry `data`, cut to fit under secure messaging. */
export function storeDataCommands(data: Uint8Array, options: StoreDataOptions = {}): readonly CommandApdu[] {
  const { format = 'dgi', firstBlock = 0, last = true } = options;
  const count = Math.max(1, Math.ceil(data.length / CHUNK));
  if (firstBlock + count > MAX_BLOCKS) {
    throw globalPlatformError('GP_APDU_TOO_LONG', 'more than 256 STORE DATA blocks', { context: { count } });
  }
  const commands: CommandApdu[] = [];
  for (let i = 0; i < count; i++) {
    const isLast = last && i === count - 1;
    const p1 =
      (isLast ? STORE_DATA.LAST : 0) |
      (format === 'dgi' ? STORE_DATA.DGI : format === 'ber-tlv' ? STORE_DATA.BER_TLV : 0) |
      (options.encrypted === true ? STORE_DATA.ENCRYPTED : 0) |
      (options.responseExpected === true ? STORE_DATA.RESPONSE_EXPECTED : 0);
    commands.push(gpCommand(INS.STORE_DATA, p1, firstBlock + i, data.subarray(i * CHUNK, (i + 1) * CHUNK)));
  }
  return commands;
}
