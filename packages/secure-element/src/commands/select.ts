import {
  aidBytes,
  CARD_LIFE_CYCLE,
  encodeFileControlInformation,
  LIFE_CYCLE_LOCKED,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import { toHex } from '@sefleet/bytes';
import type { Answer } from '../applets/applet.ts';
import type { CardState, Entry } from '../card/card-state.ts';
import { createChannel, selectOn } from '../card/channel.ts';
import type { Channel } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { implicitlySelected } from '../registry/default-selected.ts';
import type { CommandContext } from './command-context.ts';
import { NO_DATA } from './command-context.ts';
import { securityDomainManagementData } from './card-data.ts';

/** Channels per card, as JCOP and UICC cards have them. */
const MAX_CHANNELS = 20;
const BY_NAME = 0x04;
const NEXT_OCCURRENCE = 0x02;
const NO_FCI = 0x0c;
const MAX_COMMAND_DATA = 0xff;

/** SELECT by AID (GPCS 2.3.1 §11.9): full or partial, first or next. */
export function select(context: CommandContext): Answer {
  const { command, tx, channel } = context;
  if (command.p1 !== BY_NAME) refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  if ((command.p2 & ~(NEXT_OCCURRENCE | NO_FCI)) !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
  if (command.data.length > 16) refuse(STATUS_WORD.WRONG_DATA);
  const prefix = toHex(command.data);
  const state = tx.state;
  const candidates = state.entries.filter(
    (entry) => entry.aid.startsWith(prefix) && isSelectable(state, entry),
  );
  const next = (command.p2 & NEXT_OCCURRENCE) !== 0;
  const at = next ? candidates.findIndex((entry) => entry.aid === channel.selected) + 1 : 0;
  // The full AID goes before a longer one that begins with it.
  const exact = next ? undefined : candidates.find((entry) => entry.aid === prefix);
  const entry = orRefuse(exact ?? candidates[at], STATUS_WORD.NOT_FOUND);
  selectOn(channel, entry.aid);
  const data = (command.p2 & NO_FCI) === NO_FCI ? NO_DATA : fileControlInformation(context, entry);
  return isLocked(state, entry) ? { data, sw: STATUS_WORD.SELECTED_LOCKED } : data;
}

/** MANAGE CHANNEL: opens the next free logical channel or closes one (ISO/IEC 7816-4 §11.1.2). */
export function manageChannel(context: CommandContext): Answer {
  const { command, card, channel, tx } = context;
  const { channels } = card;
  if (command.p1 === 0x80) {
    const number = command.p2 === 0 ? channel.number : command.p2;
    if (number === 0 || !channels.has(number)) refuse(STATUS_WORD.INCORRECT_P1_P2);
    channels.delete(number);
    return NO_DATA;
  }
  if (command.p1 !== 0x00) refuse(STATUS_WORD.INCORRECT_P1_P2);
  const number = command.p2 === 0 ? firstFree(channels) : command.p2;
  if (number === undefined || number >= MAX_CHANNELS || channels.has(number)) {
    return refuse(STATUS_WORD.FUNCTION_NOT_SUPPORTED);
  }
  // ISO/IEC 7816-4 §11.1.2: opened on the basic channel it starts like that one after a reset, else as its
  // opener.
  const selected = channel.number === 0 ? implicitlySelected(tx.state) : channel.selected;
  channels.set(number, createChannel(number, orRefuse(selected, STATUS_WORD.CONDITIONS_NOT_SATISFIED)));
  return command.p2 === 0 ? Uint8Array.of(number) : NO_DATA;
}

function firstFree(channels: ReadonlyMap<number, Channel>): number | undefined {
  for (let number = 1; number < MAX_CHANNELS; number++) if (!channels.has(number)) return number;
  return undefined;
}

/**
 * GPCS 2.3.1 §6.4.2: locked applications and those not yet selectable are passed over; locked domains answer.
 */
function isSelectable(state: CardState, entry: Entry): boolean {
  if (state.lifeCycle === CARD_LIFE_CYCLE.CARD_LOCKED || state.lifeCycle === CARD_LIFE_CYCLE.TERMINATED) {
    return entry === state.entries[0];
  }
  if (entry === state.entries[0]) return true;
  if ((entry.lifeCycle & 0x07) !== 0x07) return false;
  return entry.kind === 'security-domain' || (entry.lifeCycle & LIFE_CYCLE_LOCKED) === 0;
}

function isLocked(state: CardState, entry: Entry): boolean {
  if (entry === state.entries[0]) return state.lifeCycle === CARD_LIFE_CYCLE.CARD_LOCKED;
  return (entry.lifeCycle & LIFE_CYCLE_LOCKED) !== 0;
}

function fileControlInformation(context: CommandContext, entry: Entry): Uint8Array {
  const fields = { aid: aidBytes(entry.aid), maxCommandData: MAX_COMMAND_DATA };
  if (entry.kind === 'security-domain') {
    const managementData = securityDomainManagementData(entry.scp03);
    return encodeFileControlInformation({ ...fields, managementData });
  }
  const program = context.card.program(entry.module);
  const proprietary = program?.selected?.(entry.state);
  return proprietary ?? encodeFileControlInformation(fields);
}
