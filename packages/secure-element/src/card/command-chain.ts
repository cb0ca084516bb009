import { concatBytes } from '@sefleet/bytes';
import { INS, STATUS_WORD } from '@sefleet/globalplatform';
import type { ClassByte, CommandApdu, SecureMessaging } from '@sefleet/globalplatform';
import { closeSession } from './channel.ts';
import type { Channel } from './channel.ts';

/** Data of one chain of commands. */
const MAX_CHAIN_BYTES = 32_768;
const CHAINING_BIT = 0x10;
const MORE_COMMANDS = 0x80;
/** Commands that announce more of the same by the first bit of P1 (GPCS 2.3.1 tables 11-20, 11-42, 11-64). */
const CHAINED_BY_P1: readonly number[] = [INS.PUT_KEY, INS.INSTALL, INS.DELETE];

/** What comes of a command that may be part of a chain. `opened`: its secure messaging is off already. */
export type ChainStep =
  | { readonly kind: 'whole'; readonly command: CommandApdu; readonly opened: boolean }
  | { readonly kind: 'part'; readonly sw: number; readonly opened: boolean };

/**
 * Command chaining, by the class byte (ISO/IEC 7816-4 §5.3.3) or by the bit of P1 that announces more: the
 * whole command once it is there, a status word until then. Hosts protect a long command and cut it up
 * afterwards, or they protect each part: the first part shows which, since the MAC of a part that has none
 * of its own cannot verify.
 *
 * @param forDomain Whether a Security Domain is selected: an application's own instructions may have the same
 *   numbers, as PUT PUBLIC KEY of IoT SAFE has that of PUT KEY.
 */
export function chainCommand(
  channel: Channel,
  command: CommandApdu,
  header: ClassByte,
  forDomain: boolean,
): ChainStep {
  const announced = forDomain && isAnnounced(command);
  const goesOn = header.chaining || announced;
  const { chain } = channel;
  if (chain === undefined && !goesOn) return { kind: 'whole', command, opened: false };
  const p1 = announced ? command.p1 & ~MORE_COMMANDS : command.p1;
  const head = ((command.cla & ~CHAINING_BIT) << 24) | (command.ins << 16) | (p1 << 8) | command.p2;
  if (chain !== undefined && chain.head !== head) {
    channel.chain = undefined;
    return { kind: 'part', sw: STATUS_WORD.LAST_COMMAND_OF_CHAIN_EXPECTED, opened: false };
  }
  const messaging = header.secure && chain?.opened !== false ? sessionOf(channel) : undefined;
  const plain = messaging?.unwrapCommand(command);
  if (chain?.opened === true && plain === undefined) {
    closeSession(channel);
    channel.chain = undefined;
    return { kind: 'part', sw: STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED, opened: false };
  }
  const opened = plain !== undefined;
  const open = chain ?? { head, opened, parts: [], length: 0 };
  const part = plain?.data ?? command.data;
  open.parts.push(part.slice());
  open.length += part.length;
  channel.chain = undefined;
  if (open.length > MAX_CHAIN_BYTES) return { kind: 'part', sw: STATUS_WORD.NOT_ENOUGH_MEMORY, opened };
  if (!goesOn)
    return { kind: 'whole', command: { ...command, p1, data: concatBytes(...open.parts) }, opened };
  channel.chain = open;
  return { kind: 'part', sw: STATUS_WORD.OK, opened };
}

function isAnnounced({ cla, ins, p1 }: CommandApdu): boolean {
  return (cla & 0x80) !== 0 && CHAINED_BY_P1.includes(ins) && (p1 & MORE_COMMANDS) !== 0;
}

function sessionOf({ session }: Channel): SecureMessaging | undefined {
  return session === undefined || session.messaging.level === 0 ? undefined : session.messaging;
}
