import { concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { INS } from '../content/command.ts';
import { signGp } from '../crypto/public-key.ts';
import type { SigningKey } from '../crypto/public-key.ts';
import { globalPlatformError } from '../errors.ts';
import { decodeTlvs, encodeTlv } from '../tlv/ber-tlv.ts';
import { encodeLv } from '../tlv/length-value.ts';

const TOKEN = 0x9e;

/** A command as a token covers it. */
type Signable = Pick<CommandApdu, 'ins' | 'p1' | 'p2' | 'data'>;

/**
 * What a token signs: P1, P2, the length and the data field up to the token (GPCS 2.3.1 §C.4). The token of
 * a combined load, install and make selectable process covers both of its INSTALL commands, one behind the
 * other.
 *
 * @param commands INSTALL with an empty token field at its end, or DELETE without one.
 * @throws SefleetError `GP_TOKEN_INVALID` for other commands.
 */
export function tokenInput(...commands: readonly Signable[]): Uint8Array {
  return concatBytes(...commands.map((command) => coveredByToken(command, withoutToken(command))));
}

/** One command's part of {@link tokenInput}: `data` is its data field up to the token. */
export function coveredByToken({ p1, p2 }: Pick<CommandApdu, 'p1' | 'p2'>, data: Uint8Array): Uint8Array {
  const { length } = data;
  if (length > 0xffff) {
    throw globalPlatformError('GP_APDU_TOO_LONG', 'the signed part of a command is too long');
  }
  const following = length > 0xff ? [0, length >> 8, length] : [length];
  return concatBytes(Uint8Array.of(p1, p2, ...following), data);
}

/**
 * The command with a token that the Security Domain with Token Verification accepts.
 *
 * @param command As {@link tokenInput} takes it.
 * @param key The private key of which the card has the public one (KVN 70), or the shared AES key.
 * @param beginning The first command of the combined process that this one ends.
 */
export function withToken(
  command: CommandApdu,
  key: SigningKey,
  beginning: readonly CommandApdu[] = [],
): CommandApdu {
  return attachToken(command, signGp(key, tokenInput(...beginning, command)));
}

/** The command with a token that was made elsewhere. */
export function attachToken(command: CommandApdu, token: Uint8Array): CommandApdu {
  const field = command.ins === INS.DELETE ? encodeTlv(TOKEN, token) : encodeLv(token);
  return { ...command, data: concatBytes(withoutToken(command), field) };
}

/** The parts of a DELETE data field: what a token covers, and the token. */
export function splitDeleteToken(data: Uint8Array): {
  readonly covered: Uint8Array;
  readonly token: Uint8Array;
} {
  let covered = 0;
  for (const { tag, value } of decodeTlvs(data)) {
    if (tag === TOKEN) return { covered: data.subarray(0, covered), token: value };
    covered += encodeTlv(tag, value).length;
  }
  return { covered: data, token: new Uint8Array(0) };
}

function withoutToken({ ins, data }: Pick<Signable, 'ins' | 'data'>): Uint8Array {
  if (ins === INS.DELETE) return data;
  if (ins !== INS.INSTALL || data.at(-1) !== 0) {
    throw globalPlatformError(
      'GP_TOKEN_INVALID',
      'tokens go into INSTALL with an empty token field, and into DELETE',
    );
  }
  return data.subarray(0, -1);
}
