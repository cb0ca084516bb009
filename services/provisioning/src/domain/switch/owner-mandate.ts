import { canonicalJson } from '@sefleet/evidence';
import { provisioningError } from '../../errors.ts';
import type { PartyId } from '../party.ts';

/** The word of a device's owner that somebody may be added to it, or is to be removed from it. */
export interface OwnerMandate {
  readonly mandate: 'add' | 'remove';
  /** Whom it is about. */
  readonly insurer: PartyId;
  readonly endpoint: string;
  /** Which card: its issuer identification and image number, hexadecimal. */
  readonly card: string;
  /** In which the instant has to lie, milliseconds since 1970. */
  readonly validFrom: number;
  readonly validUntil: number;
  /** Given once. */
  readonly nonce: string;
}

/** What a mandate has to be for. */
export type MandatedAct = Pick<OwnerMandate, 'mandate' | 'insurer' | 'endpoint' | 'card'> & {
  readonly cutOverAt: number;
};

/** 8 to 64 bytes. */
const NONCE = /^(?:[0-9a-f]{2}){8,64}$/;
/** No owner signs for longer. */
const LONGEST_MS = 366 * 86_400_000;

/** The text that an owner signs. */
export function mandateText(mandate: OwnerMandate): string {
  return canonicalJson({ ...mandate });
}

/**
 * Reads a mandate and looks whether it is for this act on this card, and in force.
 *
 * @param now when it is used, milliseconds since 1970
 * @returns its nonce
 * @throws SefleetError `SWITCH_MANDATE_REFUSED` that says what is wrong
 */
export function checkMandateText(text: string, act: MandatedAct, now: number): string {
  const said = readObject(text);
  const { nonce, validFrom, validUntil } = said;
  if (typeof nonce !== 'string' || !NONCE.test(nonce)) throw refused('it has no nonce of 8 to 64 bytes');
  if (!isInstant(validFrom) || !isInstant(validUntil) || validUntil < validFrom)
    throw refused('it does not say from when until when it is valid');
  const { cutOverAt, ...wanted } = act;
  for (const [name, value] of Object.entries(wanted))
    if (said[name] !== value) throw refused(`its ${name} is ${JSON.stringify(said[name])}, not ${value}`);
  if (canonicalJson({ ...wanted, nonce, validFrom, validUntil }) !== text)
    throw refused('it says more than a mandate does, or not in canonical form');
  if (validUntil - validFrom > LONGEST_MS) throw refused('it is valid for more than a year');
  if (now > validUntil) throw refused(`it ended at ${new Date(validUntil).toISOString()}`);
  if (cutOverAt < validFrom || cutOverAt > validUntil)
    throw refused('the instant lies outside of its validity');
  return nonce;
}

/** The error of a mandate that is not enough. */
export function refused(why: string): Error {
  return provisioningError('SWITCH_MANDATE_REFUSED', `the owner's mandate is refused: ${why}`, {
    hint: 'Have the owner sign one for this act, insurer, device and card, in force at the instant.',
  });
}

function isInstant(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    throw refused('it is no JSON');
  }
}
