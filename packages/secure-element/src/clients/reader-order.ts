import { aid, aidBytes, decodeOnlyTlv, decodeTlvs, encodeTlv, requireTlv } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { HAND_OVER_TAG } from '../applets/measuring/measuring-protocol.ts';

/** What a device does at an instant for somebody who reads it. */
export type DeviceOrder =
  /** One stakeholder follows another: the order is for the card, see `cutOverOrder`. */
  | { readonly kind: 'hand-over' }
  /** The first reading by an applet that was there unused, and readings by it from then on. */
  | { readonly kind: 'begin'; readonly application: Aid }
  /** The last reading by an applet. */
  | { readonly kind: 'end'; readonly application: Aid };

const TAG = { begin: 0xa1, end: 0xa2 } as const;
const REFERENCE = 0x86;

/**
 * The order to begin or to end readings by a measuring applet.
 *
 * @param reference makes the order one of a kind, so that the device knows it again
 */
export function readerOrder(kind: 'begin' | 'end', application: Aid, reference: Uint8Array): Uint8Array {
  const content = [
    encodeTlv(HAND_OVER_TAG.SUCCESSOR, aidBytes(application)),
    encodeTlv(REFERENCE, reference),
  ];
  return encodeTlv(TAG[kind], Buffer.concat(content));
}

/**
 * What an order asks of the device. Whatever neither begins nor ends anything is for the card to judge.
 *
 * @throws SefleetError what globalplatform throws for TLV or an AID that are malformed
 */
export function decodeDeviceOrder(order: Uint8Array): DeviceOrder {
  const kind = order[0] === TAG.begin ? 'begin' : order[0] === TAG.end ? 'end' : undefined;
  if (kind === undefined) return { kind: 'hand-over' };
  const content = decodeTlvs(decodeOnlyTlv(order, TAG[kind]));
  return { kind, application: aid(requireTlv(content, HAND_OVER_TAG.SUCCESSOR)) };
}
