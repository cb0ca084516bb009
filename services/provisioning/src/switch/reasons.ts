import type { SwitchReason } from '@sefleet/evidence';
import { isSefleetError, type SefleetError } from '@sefleet/errors';
import { describeStatusWord, STATUS_WORD, type GlobalPlatformErrorCode } from '@sefleet/globalplatform';
import type { SwitchStep } from '../domain/switch/switch-state.ts';
import type { ProvisioningErrorCode } from '../errors.ts';

type Code = ProvisioningErrorCode | GlobalPlatformErrorCode;

/** Reason codes of exceptions, by the error that caused them. */
const REASONS: Readonly<Partial<Record<Code, SwitchReason>>> = {
  SWITCH_CARD_SWAPPED: 'swapped-card',
  SWITCH_DOMAIN_PRELOADED: 'preloaded-keys',
  SWITCH_CERTIFICATE_REFUSED: 'certificate-refused',
  SWITCH_CARD_FULL: 'se-full',
  SWITCH_MANDATE_REFUSED: 'mandate-refused',
  SWITCH_LOOK_UP_TIMEOUT: 'look-up-unanswered',
  SWITCH_METER_REFUSED: 'meter-refused',
  PROVISIONING_CARD_REFUSED: 'card-refused',
  PROVISIONING_OLD_KEY_ALIVE: 'old-key-alive',
  PROVISIONING_KEY_UNCONFIRMED: 'wrong-key',
  PROVISIONING_KEY_STATE_UNKNOWN: 'wrong-key',
  GP_CARD_NOT_AUTHENTIC: 'wrong-key',
  GP_RECEIPT_INVALID: 'counter-mismatch',
  GP_CERTIFICATE_INVALID: 'swapped-card',
};
const BY_CODE: ReadonlyMap<string, SwitchReason> = new Map(Object.entries(REASONS));
/** What a card that was never brought into service answers when it is asked for what it should have. */
const LACKING: ReadonlySet<unknown> = new Set([STATUS_WORD.NOT_FOUND, STATUS_WORD.REFERENCED_DATA_NOT_FOUND]);
const OTHER: SwitchReason = 'internal-error';

/** Tries after which a refusal of a card is taken for its last word. */
const REFUSALS_UNTIL_FINAL = 4;

/** What of an error goes into the report, and whether it is final. */
export interface Failure {
  readonly reason: SwitchReason;
  /** A sentence for a person. */
  readonly detail: string;
  readonly final: boolean;
}

/** What was tried, for the how manieth time, and whether the switch can still be taken back. */
export interface Attempt {
  readonly step: SwitchStep | 'take-back';
  readonly attempts: number;
  readonly committed: boolean;
}

/**
 * Judges an error. Whatever can be the way to the card is tried again; a refusal that can come from a
 * conversation that was cut short is tried a few times, and after the commit point until the deadline; the
 * rest is final.
 */
export function judge(error: unknown, { step, attempts, committed }: Attempt): Failure {
  if (!isSefleetError(error))
    return { reason: OTHER, detail: 'A fault of this software: its log has it.', final: true };
  const detail = sentenceOf(error);
  // What the LwM2M server says of a meter that it cannot reach is about the way to it.
  const isWay = error.fault === 'environment' || error.code.startsWith('LWM2M_');
  if (isWay) return { reason: 'unreachable-at-cut', detail, final: false };
  const mayBeCutShort = error.code.startsWith('GP_') || error.code === 'PROVISIONING_CARD_REFUSED';
  const final = !mayBeCutShort || (!committed && attempts >= REFUSALS_UNTIL_FINAL);
  return { reason: reasonOf(error, step), detail, final };
}

function reasonOf({ code, context }: SefleetError, step: Attempt['step']): SwitchReason {
  // The first command to the card asks for what every commissioned card has.
  if (step === 'card-certificate' && LACKING.has(context['sw'])) return 'not-commissioned';
  return BY_CODE.get(code) ?? (code.startsWith('GP_') ? 'card-refused' : OTHER);
}

/** The error as a sentence; a status word with its meaning, the code of the error at the end. */
function sentenceOf({ code, message, context }: SefleetError): string {
  const sw = context['sw'];
  const said = typeof sw === 'number' ? refusal(message, sw) : message;
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}.`.replace(/\.\.$/, '.') + ` (${code})`;
}

/** `GET STATUS: 6982, ...` as `The card refuses GET STATUS: security status not satisfied (6982)`. */
function refusal(message: string, sw: number): string {
  const [command = ''] = message.split(': ');
  const word = sw.toString(16).padStart(4, '0').toUpperCase();
  return `the card refuses ${command}: ${describeStatusWord(sw)} (${word})`;
}
