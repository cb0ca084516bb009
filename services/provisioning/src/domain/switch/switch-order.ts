import { findParty, type PartyId } from '../party.ts';
import { provisioningError } from '../../errors.ts';
import { MARKETS } from './working-days.ts';

/** Why meters change their supplier. */
export type SwitchVerb = 'switch' | 'erroneous-transfer' | 'forced-switch' | 'move-in';

/** What goes wrong on our side of the network, in rehearsals: name and share of the meters in per cent. */
export type FaultShares = ReadonlyMap<string, number>;

/** A switch of a portfolio. */
export interface SwitchOrder {
  readonly switchId: string;
  readonly verb: SwitchVerb;
  readonly from: PartyId;
  readonly to: PartyId;
  /** The instant, milliseconds since 1970. */
  readonly cutOverAt: number;
  readonly concurrency: number;
  readonly canaryPercent: number;
  readonly stopAbovePercent: number;
  readonly faults: FaultShares;
  readonly seed: number;
  /** Whose calendar and time zone count: a key of `MARKETS`. */
  readonly market: string;
}

/** Fewer meters than this say nothing about a failure share. */
const STOP_NEEDS = 20;

/**
 * Who gives the order to switch: the customer, or for verbs without one the authority that oversees
 * suppliers.
 */
export function mandateGiver(verb: SwitchVerb): 'customer' | 'authority' {
  return verb === 'forced-switch' || verb === 'erroneous-transfer' ? 'authority' : 'customer';
}

/**
 * @throws SefleetError `PROVISIONING_REQUEST_INVALID` or `PROVISIONING_STAKEHOLDER_NOT_FOUND` for an order
 * that no
 *   market would take.
 */
export function checkOrder(order: SwitchOrder): void {
  for (const party of [order.from, order.to]) {
    if (findParty(party)?.roles.includes('service-provider') !== true) {
      throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `${party} is no supplier`);
    }
  }
  if (!MARKETS.has(order.market))
    throw provisioningError('PROVISIONING_REQUEST_INVALID', `market ${order.market} has no calendar here`, {
      hint: `Known are ${[...MARKETS.keys()].join(', ')}.`,
    });
  if (order.from === order.to)
    throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a supplier cannot follow itself');
  const shares = [order.canaryPercent, order.stopAbovePercent, ...order.faults.values()];
  if (shares.some((share) => !(share >= 0 && share <= 100))) {
    throw provisioningError('PROVISIONING_REQUEST_INVALID', 'shares are between 0 and 100 per cent');
  }
}

/**
 * How many meters may be begun now: the canaries first, the others when those are prepared for the instant
 * or over; to wait for more would make the others miss it.
 */
export function openWave(total: number, canaryPercent: number, begun: number, through: number): number {
  const canaries = Math.ceil((total * canaryPercent) / 100);
  return through < canaries ? Math.max(0, canaries - begun) : total - begun;
}

/** Before so many meters have passed no share is judged: all canaries, where they are fewer. */
export function stopNeeds(total: number, canaryPercent: number): number {
  const canaries = Math.ceil((total * canaryPercent) / 100);
  return canaries > 0 ? Math.min(STOP_NEEDS, canaries) : STOP_NEEDS;
}

/** Why a switch has to stop by itself, or undefined. */
export function reasonToStop(
  through: number,
  failed: number,
  stopAbovePercent: number,
  needs: number,
): string | undefined {
  if (stopAbovePercent === 0 || through < needs || (failed * 100) / through <= stopAbovePercent)
    return undefined;
  return `${failed} of ${through} meters failed: more than ${stopAbovePercent} per cent`;
}
