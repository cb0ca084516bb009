import { findParty, type PartyId } from '../party.ts';
import { provisioningError } from '../../errors.ts';
import { waveLimits } from './waves.ts';
import { deadlineIn, MARKETS } from './working-days.ts';

/**
 * Why devices change their stakeholder. With `add` one comes beside another, with `remove` one of two goes.
 */
export type SwitchVerb = 'switch' | 'erroneous-transfer' | 'forced-switch' | 'move-in' | 'add' | 'remove';

/** What goes wrong on our side of the network, in rehearsals: name and share of the meters in per cent. */
export type FaultShares = ReadonlyMap<string, number>;

/** A switch of a portfolio. */
export interface SwitchOrder {
  readonly switchId: string;
  /** When it was taken, milliseconds since 1970. */
  readonly startedAt: number;
  readonly verb: SwitchVerb;
  /** Who is left; with `add` who is there already and stays. */
  readonly from: PartyId;
  /** Who comes; with `remove` who stays. */
  readonly to: PartyId;
  /** The instant, milliseconds since 1970. */
  readonly cutOverAt: number;
  readonly concurrency: number;
  /** In any minute no more are begun, nor taken to the head end; 0 for no cap. */
  readonly ratePerMinute: number;
  /** Shares of the meters, in per cent, that go one after the other; the rest follows. */
  readonly waves: readonly number[];
  /** Between a wave that is prepared and the next one. */
  readonly wavePauseMs: number;
  readonly stopAbovePercent: number;
  readonly faults: FaultShares;
  readonly seed: number;
  /** Whose calendar and time zone count: a key of `MARKETS`. */
  readonly market: string;
}

/**
 * Who gives the order to switch: the customer, or for verbs without one the authority that oversees
 * suppliers.
 */
export function mandateGiver(verb: SwitchVerb): 'customer' | 'authority' {
  return verb === 'forced-switch' || verb === 'erroneous-transfer' ? 'authority' : 'customer';
}

/** Who comes to the device and who goes from it, and who is only there meanwhile. */
export function partsOf({ verb, from, to }: Pick<SwitchOrder, 'verb' | 'from' | 'to'>): {
  readonly comes: PartyId | undefined;
  readonly goes: PartyId | undefined;
  readonly stays: PartyId | undefined;
} {
  if (verb === 'add') return { comes: to, goes: undefined, stays: from };
  if (verb === 'remove') return { comes: undefined, goes: from, stays: to };
  return { comes: to, goes: from, stays: undefined };
}

/**
 * @throws SefleetError `PROVISIONING_REQUEST_INVALID` or `PROVISIONING_STAKEHOLDER_NOT_FOUND` for an order
 *   that no market would take.
 */
export function checkOrder(order: SwitchOrder): void {
  for (const party of [order.from, order.to]) {
    if (findParty(party)?.roles.includes('service-provider') !== true) {
      throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `${party} is no supplier`);
    }
  }
  if (!MARKETS.has(order.market))
    throw invalid(
      `market ${order.market} has no calendar here`,
      `Known are ${[...MARKETS.keys()].join(', ')}.`,
    );
  if (order.from === order.to) throw invalid('a supplier cannot follow itself');
  const shares = [order.stopAbovePercent, ...order.waves, ...order.faults.values()];
  if (shares.some((share) => !(share >= 0 && share <= 100)))
    throw invalid('shares are between 0 and 100 per cent');
  const { waves, wavePauseMs, ratePerMinute } = order;
  if (waves.length > MAX_WAVES || waves.includes(0) || waves.reduce((sum, share) => sum + share, 0) > 100)
    throw invalid(
      `waves are at most ${MAX_WAVES} shares above 0, together at most 100 per cent`,
      'For example 1 and 10: one per cent, then ten, then the rest.',
    );
  if (wavePauseMs > DAY_MS) throw invalid('between two waves is a day at the most');
  if (ratePerMinute > MAX_RATE) throw invalid(`a rate is at most ${MAX_RATE} meters a minute`);
}

/**
 * An order about so many meters has the time that it needs: its instant lies ahead, and as its rate is, all
 * meters can be begun before it and cut over before the deadline.
 *
 * @throws SefleetError `PROVISIONING_REQUEST_INVALID`
 */
export function checkSchedule(order: SwitchOrder, meters: number): void {
  const { startedAt: now, cutOverAt, ratePerMinute, waves, wavePauseMs, market } = order;
  if (!(cutOverAt > now && cutOverAt < now + FARTHEST_MS))
    throw invalid(
      `the instant ${cutOverAt} does not lie ahead`,
      `It is given in milliseconds since 1970; now it is ${Math.round(now)}.`,
    );
  const paced = ratePerMinute === 0 ? 0 : ((meters - 1) / ratePerMinute) * MINUTE_MS;
  const ahead = paced + (waveLimits(meters, waves).length - 1) * wavePauseMs;
  const spans = [
    { what: 'to be begun', need: ahead, have: cutOverAt - now, end: 'the instant' },
    {
      what: 'to be cut over',
      need: paced,
      have: deadlineIn(market, cutOverAt) - cutOverAt,
      end: 'the deadline',
    },
  ];
  for (const { what, need, have, end } of spans) {
    if (need < have) continue;
    throw invalid(
      `${meters} meters need ${minutes(need)} ${what}, and ${end} comes after ${minutes(have)}`,
      'Ask for a higher rate, shorter pauses between waves, fewer meters or a later instant.',
    );
  }
}

function minutes(ms: number): string {
  return `${Math.ceil(ms / MINUTE_MS)} min`;
}

function invalid(message: string, hint?: string): Error {
  return provisioningError('PROVISIONING_REQUEST_INVALID', message, hint === undefined ? {} : { hint });
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** A switch is announced weeks ahead, not years: what lies farther is a slip. */
const FARTHEST_MS = 366 * DAY_MS;
/** More waves than this say that shares were taken for meters. */
const MAX_WAVES = 20;
/** More than any fleet has meters: as good as no cap. */
const MAX_RATE = 1_000_000;
