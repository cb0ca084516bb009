import { switching } from '@sefleet/api';
import type { RehearsalPlan } from './rehearsal-plan.ts';

/** One switch of a rehearsal; some verbs need two, one after the other. */
export interface Leg {
  readonly verb: switching.SwitchVerb;
  readonly from: string;
  readonly to: string;
  /** What is done when everything is prepared and the instant still lies ahead. */
  readonly intervention: 'cancel' | 'object' | undefined;
  /** The whole portfolio of the supplier that is left, whoever is in it. */
  readonly wholePortfolio: boolean;
}

const { SwitchVerb: Verb } = switching;

/**
 * The switches that a verb consists of. An erroneous transfer is one that happened and is undone; back to
 * back means that the second supplier is left for a third within a day. Before one of two can be removed, the
 * second has to be added.
 */
export function legsOf({ verb, from, to, third }: RehearsalPlan): readonly Leg[] {
  const leg = (changes: Partial<Leg> = {}): Leg => {
    return { verb: Verb.SWITCH, from, to, intervention: undefined, wholePortfolio: false, ...changes };
  };
  switch (verb) {
    case 'cancel':
    case 'object':
      return [leg({ intervention: verb })];
    case 'erroneous-transfer':
      return [leg(), leg({ verb: Verb.ERRONEOUS_TRANSFER, from: to, to: from })];
    case 'back-to-back':
      return [leg(), leg({ from: to, to: third })];
    case 'forced-switch':
      return [leg({ verb: Verb.FORCED_SWITCH, wholePortfolio: true })];
    case 'move-in':
      return [leg({ verb: Verb.MOVE_IN })];
    case 'add':
      return [leg({ verb: Verb.ADD })];
    case 'remove':
      return [leg({ verb: Verb.ADD }), leg({ verb: Verb.REMOVE })];
    case 'add-and-remove':
      return [leg({ verb: Verb.ADD }), leg({ verb: Verb.REMOVE, from: to, to: from })];
    default:
      return [leg()];
  }
}
