import { concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { encodeTlv } from '../tlv/ber-tlv.ts';
import { gpCommand, INS } from './command.ts';

/** P2 of DELETE: the object alone, or a load file with the applications made from it. */
export const DELETE_RELATED = 0x80;

/**
 * DELETE of an application, Security Domain or load file, with its token where delegated management needs
 * one.
 */
export function deleteCommand(
  object: Uint8Array,
  options: { readonly related?: boolean; readonly token?: Uint8Array } = {},
): CommandApdu {
  const token = options.token === undefined ? [] : [encodeTlv(0x9e, options.token)];
  const data = concatBytes(encodeTlv(0x4f, object), ...token);
  return gpCommand(INS.DELETE, 0x00, options.related === true ? DELETE_RELATED : 0x00, data);
}

/**
 * DELETE of keys of the selected Security Domain: all of a version, or one identifier of it (GPCS 2.3.1
 * §11.2.3.2).
 */
export function deleteKeyCommand(key: {
  readonly keyVersion?: number;
  readonly keyId?: number;
}): CommandApdu {
  const parts: Uint8Array[] = [];
  if (key.keyId !== undefined) parts.push(encodeTlv(0xd0, Uint8Array.of(key.keyId)));
  if (key.keyVersion !== undefined) parts.push(encodeTlv(0xd2, Uint8Array.of(key.keyVersion)));
  return gpCommand(INS.DELETE, 0x00, 0x00, concatBytes(...parts));
}
