import { CARD_LIFE_CYCLE, plainClass, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid, CommandApdu } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import type { Answer, AppletProgram } from '../applets/applet.ts';
import type { SecurityDomain } from '../card/card-state.ts';
import type { CardSession, Channel } from '../card/channel.ts';
import { refuse } from '../card/refusal.ts';
import type { Transaction } from '../card/transaction.ts';
import type { CardProfile } from '../profiles/card-profile.ts';

/** What command handlers need of the card that they run on. */
export interface CardServices {
  readonly profile: CardProfile;
  readonly rng: Rng;
  /** The open logical channels, by number. */
  readonly channels: Map<number, Channel>;
  /** The applet behind a module. */
  program(module: Aid): AppletProgram | undefined;
}

/** One command on its way through a handler. */
export interface CommandContext {
  readonly card: CardServices;
  readonly tx: Transaction;
  readonly channel: Channel;
  /** Without secure messaging and chaining; the class byte is 00 or 80. */
  readonly command: CommandApdu;
}

/** Carries a command out. It answers, or ends by `refuse`. */
export type Handler = (context: CommandContext) => Answer;

/** The Security Domain that is selected; 6985 when an application or nothing is. */
export function selectedDomain(context: CommandContext): SecurityDomain {
  const { selected } = context.channel;
  const entry = selected === undefined ? undefined : context.tx.find(selected);
  return entry?.kind === 'security-domain' ? entry : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

/**
 * The open session of an authenticated host; 6982 without one, as every command that changes content needs
 * one.
 */
export function requireSession(context: CommandContext): CardSession {
  const { session } = context.channel;
  if (session === undefined || session.messaging.level === 0 || !session.hostAuthenticated) {
    return refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  }
  return session;
}

/**
 * Ends the command with 6985 while the card is locked: nothing on it changes then, keys and data of domains
 * included (GPCS 2.3.1 §5.1.1.4), but the life cycle by which it comes back.
 */
export function requireUnlockedCard({ tx }: CommandContext): void {
  if (tx.state.lifeCycle === CARD_LIFE_CYCLE.CARD_LOCKED) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

/** The class byte of a GlobalPlatform command, or 6E00. */
export function requireProprietaryClass(command: CommandApdu): void {
  if (plainClass(command.cla) !== 0x80) refuse(STATUS_WORD.CLA_NOT_SUPPORTED);
}

/** An answer without data. */
export const NO_DATA = new Uint8Array(0);
