import type { CommandApdu } from '../apdu/command-apdu.ts';
import { globalPlatformError } from '../errors.ts';
import { concatBytes } from '@sefleet/bytes';
import { aesKeyCheckValue } from '../crypto/key-check-value.ts';
import { encodeTlv } from '../tlv/ber-tlv.ts';
import { encodeDgis } from '../tlv/dgi.ts';
import { gpCommand, INS } from './command.ts';
import { KEY_TYPE } from './put-key.ts';
import type { KeyEncryptor } from './put-key.ts';

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

/** Data groupings that carry keys into a Security Domain by STORE DATA. */
export const KEY_DGI = { DESCRIPTION: 0x00b9, SYMMETRIC_KEY: 0x8113 } as const;

/** What the key description says beside the keys. */
export interface KeyGroupingOptions {
  readonly keyVersion: number;
  /** Identifier of the first key; the others follow it. Default 1. */
  readonly firstKeyId?: number;
  /** Key access (tag 96): 00 domain and applications, 01 domain, 02 applications. Default 01. */
  readonly access?: number;
  /** Key usage (tag 97), two bytes. Default 0003, SCP03. */
  readonly usage?: number;
}

/**
 * AES keys as data groupings of STORE DATA: a description (00B9) and a grouping 8113 for each (GPC_SPE_007
 * §4.4).
 */
export function encodeKeyGroupings(
  session: KeyEncryptor,
  keys: readonly Uint8Array[],
  options: KeyGroupingOptions,
): Uint8Array {
  const { firstKeyId = 1, access = 0x01, usage = 0x0003 } = options;
  const common = encodeTlv(
    0xb7,
    encodeTlv(0x80, Uint8Array.of(KEY_TYPE.AES)),
    encodeTlv(0x81, Uint8Array.of(keys[0]?.length ?? 0)),
    encodeTlv(0x83, Uint8Array.of(options.keyVersion)),
    encodeTlv(0x96, Uint8Array.of(access)),
    encodeTlv(0x97, Uint8Array.of(usage >> 8, usage)),
  );
  const slots = keys.map((key, i) => {
    const id = encodeTlv(0x82, Uint8Array.of(firstKeyId + i));
    return encodeTlv(0xb9, id, encodeTlv(0x84, aesKeyCheckValue(key)));
  });
  return encodeDgis([
    { id: KEY_DGI.DESCRIPTION, data: concatBytes(common, ...slots) },
    ...keys.map((key) => ({ id: KEY_DGI.SYMMETRIC_KEY, data: session.encryptSensitive(key) })),
  ]);
}
