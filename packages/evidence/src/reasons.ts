/** What a reason code means, and what a person does about it. */
export interface ReasonMeaning {
  /** How it came to that. */
  readonly meaning: string;
  /** What to do about such a meter. */
  readonly action: string;
}

/**
 * Why a meter is not confirmed: the one vocabulary of evidence, summary, report and CSV. The schema of the
 * summary and the page take their words from here.
 */
export const SWITCH_REASONS = {
  'unreachable-at-cut': {
    meaning: 'The meter did not answer: while it was prepared, or after the instant until the deadline.',
    action:
      'Find out why it is off the network, then plan it again; with a sealed cut-over, finish it first.',
  },
  'missed-instant': {
    meaning: 'The meter answered, but was not prepared when the instant came.',
    action: 'Give more notice or more concurrency, and plan it again.',
  },
  'look-up-unanswered': {
    meaning: 'The market did not say within two hours which metering point it is.',
    action: 'Ask the market for the metering point, then plan it again.',
  },
  'wrong-key': {
    meaning: 'The card does not know the keys that it should have, or did not confirm new ones.',
    action: 'Compare the key versions of the card with those in the vault; it may have missed a rotation.',
  },
  'counter-mismatch': {
    meaning: 'A receipt of the card does not verify, or its counter does not follow the last one.',
    action: 'Look for commands that somebody else gave the card; do not repeat the switch before that.',
  },
  'not-commissioned': {
    meaning: 'The card lacks a certificate, an application or a domain that every commissioned meter has.',
    action: 'Commission the meter, then plan it again.',
  },
  'clock-drift': {
    meaning: "The meter's clock is off by more than a cut-over reading may be.",
    action: "Set the meter's clock; the suppliers agree on a reading of another moment than the instant.",
  },
  'se-full': {
    meaning: 'The card has no room for the domain or the keys of the new supplier.',
    action: 'Remove what is no longer used from the card, or change the card, then plan it again.',
  },
  'swapped-card': {
    meaning: 'Another card answers for this meter.',
    action: 'Treat it as tampering: inspect the meter before anything else is sent to it.',
  },
  'preloaded-keys': {
    meaning: 'The fresh domain held keys of somebody else before its owner came.',
    action: 'Treat it as an attack by whoever manages the cards; find out who had the domain.',
  },
  'certificate-refused': {
    meaning: "The new supplier's certificate is expired, revoked, or not the controlling authority's.",
    action: 'Have the new supplier get a certificate from the controlling authority, then plan it again.',
  },
  'old-key-alive': {
    meaning: 'The card still accepts a key that was replaced.',
    action: 'Take the card out of service: the former owner still has a way in.',
  },
  'card-refused': {
    meaning: 'The card refused a command, again and again.',
    action: 'Read the detail: it has the command and what the card answered.',
  },
  'meter-refused': {
    meaning: 'The meter refused a command of the switch.',
    action: 'Read the detail: it has the command and what the meter answered.',
  },
  'mandate-refused': {
    meaning: 'The owner gave no mandate, or one for something else, or it has ended or was used before.',
    action: 'Have the owner sign one for this act, insurer, device and card, then plan it again.',
  },
  objection: {
    meaning: 'The old supplier objected before the instant.',
    action: 'Nothing, or settle the objection and plan it again.',
  },
  cancelled: {
    meaning: 'The switch was cancelled before the instant, by a person or because too many meters failed.',
    action: 'Nothing, or plan it again.',
  },
  'internal-error': {
    meaning: 'A fault of this software.',
    action: 'Send us the log of provisioning; the meter can be planned again.',
  },
} as const satisfies Readonly<Record<string, ReasonMeaning>>;

/** A code of {@link SWITCH_REASONS}. */
export type SwitchReason = keyof typeof SWITCH_REASONS;

/** True for a code of {@link SWITCH_REASONS}. */
export function isSwitchReason(code: string): code is SwitchReason {
  return Object.hasOwn(SWITCH_REASONS, code);
}
