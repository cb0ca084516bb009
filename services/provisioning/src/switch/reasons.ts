import { isSefleetError } from '@sefleet/errors';
import type { ProvisioningErrorCode } from '../errors.ts';

/** Reason codes of exceptions, by the error that caused them. */
const REASONS: Readonly<Partial<Record<ProvisioningErrorCode, string>>> = {
  SWITCH_CARD_SWAPPED: 'swapped-card',
  SWITCH_DOMAIN_PRELOADED: 'preloaded-keys',
  SWITCH_CERTIFICATE_REFUSED: 'certificate-refused',
  SWITCH_CARD_FULL: 'card-full',
  SWITCH_LOOK_UP_TIMEOUT: 'look-up-unanswered',
  SWITCH_METER_REFUSED: 'meter-refused',
  SWITCH_UNREACHABLE_TIMEOUT: 'unreachable',
  PROVISIONING_CARD_REFUSED: 'card-refused',
  PROVISIONING_OLD_KEY_ALIVE: 'old-key-alive',
};
const BY_CODE: ReadonlyMap<string, string> = new Map(Object.entries(REASONS));
const OTHER = 'internal-error';

/** Tries after which a refusal of a card is taken for its last word. */
const REFUSALS_UNTIL_FINAL = 4;

/** What of an error goes into the report, and whether it is final. */
export interface Failure {
  readonly reason: string;
  readonly detail: string;
  readonly final: boolean;
}

/**
 * Judges an error. Whatever can be the way to the card is tried again; a refusal that can come from a
 * conversation that was cut short is tried a few times, and after the commit point until the deadline; the
 * rest is final.
 */
export function judge(error: unknown, attempts: number, committed: boolean): Failure {
  if (!isSefleetError(error)) return { reason: OTHER, detail: 'a fault of ours', final: true };
  const detail = `${error.code}: ${error.message}`;
  const reason = BY_CODE.get(error.code) ?? (error.code.startsWith('GP_') ? 'card-refused' : OTHER);
  // What the LwM2M server says of a meter that it cannot reach is about the way to it.
  const isWay = error.fault === 'environment' || error.code.startsWith('LWM2M_');
  if (isWay) return { reason: 'unreachable', detail, final: false };
  const mayBeCutShort = error.code.startsWith('GP_') || error.code === 'PROVISIONING_CARD_REFUSED';
  return { reason, detail, final: !mayBeCutShort || (!committed && attempts >= REFUSALS_UNTIL_FINAL) };
}
