import { aid, type Aid } from '@sefleet/globalplatform';
import type { DeviceKind } from './device-kind.ts';
import { CONTROLLING_AUTHORITY, findParty, partyId, TRUSTED_SERVICE_MANAGER, type PartyId } from './party.ts';

/** What a stakeholder is for a kind of device; the name in the API. */
export type StakeholderRole =
  | 'grid-operator'
  | 'energy-supplier'
  | 'household'
  | 'manufacturer'
  | 'garage'
  | 'insurer'
  | 'kit-owner'
  | 'healthcare-provider'
  | 'patient';

/** A stakeholder's place on a card: a Security Domain and, in it, the applet that seals its records. */
export interface DomainPlan {
  readonly role: StakeholderRole;
  readonly party: PartyId;
  readonly domain: Aid;
  readonly records: Aid;
  /** The applet with the key of its account on the stakeholder's own LwM2M server. */
  readonly credential: Aid;
}

/** The domains of those who manage the card for the stakeholders. */
export interface ManagementPlan {
  /** The trusted service manager's domain: delegated management; the stakeholders' domains lie below it. */
  readonly tsm: Aid;
  /**
   * The Controlling Authority's domain, through which new stakeholders agree on keys that nobody else learns.
   */
  readonly authority: Aid;
}

/** What the factory puts on the cards of a kind. */
export interface CardPlan {
  readonly kind: DeviceKind;
  /** Holds the Issuer Security Domain's keys. */
  readonly issuer: PartyId;
  readonly management: ManagementPlan;
  readonly domains: readonly DomainPlan[];
  /** The role that stands for "the supplier" of this kind. */
  readonly supplier: StakeholderRole;
  /** Whether several may have that role for one device, each for itself. */
  readonly severalSuppliers: boolean;
}

/** AIDs that begin with F are nobody's by registration (ISO/IEC 7816-5 §8.4); "SEFLT" keeps ours together. */
const PREFIX = 'f05345464c54';
const TYPE = { domain: '01', records: '02', credential: '03' } as const;
const KIND_NUMBER: Readonly<Record<DeviceKind, number>> = { 'smart-meter': 1, obu: 2, 'rpm-gateway': 3 };

/** The plan of every kind. */
export const CARD_PLANS: Readonly<Record<DeviceKind, CardPlan>> = {
  'smart-meter': {
    kind: 'smart-meter',
    issuer: partyId('city-grid'),
    management: management('smart-meter'),
    domains: [
      place('smart-meter', 'grid-operator', 'city-grid'),
      place('smart-meter', 'energy-supplier', 'northern-power'),
      place('smart-meter', 'household', 'household'),
    ],
    supplier: 'energy-supplier',
    severalSuppliers: false,
  },
  obu: {
    kind: 'obu',
    issuer: partyId('apex-motors'),
    management: management('obu'),
    domains: [
      place('obu', 'manufacturer', 'apex-motors'),
      place('obu', 'garage', 'corner-garage'),
      place('obu', 'insurer', 'shield-insurance'),
    ],
    supplier: 'insurer',
    severalSuppliers: true,
  },
  'rpm-gateway': {
    kind: 'rpm-gateway',
    issuer: partyId('carekit-leasing'),
    management: management('rpm-gateway'),
    domains: [
      place('rpm-gateway', 'kit-owner', 'carekit-leasing'),
      place('rpm-gateway', 'healthcare-provider', 'valley-clinic'),
      place('rpm-gateway', 'patient', 'patient'),
    ],
    supplier: 'healthcare-provider',
    severalSuppliers: false,
  },
};

/** The container of a stakeholder's own credential applet. */
export const STAKEHOLDER_PSK_CONTAINER = 0x01;

/** Containers of the IoT SAFE applet on every card. */
export const IOT_SAFE_CONTAINER = { bootstrapPsk: 0x01, managementPsk: 0x02, deviceKey: 0x03 } as const;

/**
 * The place of `party` on a card of `kind` in `role`; parties that come later get theirs by the same rule.
 */
export function place(kind: DeviceKind, role: StakeholderRole, party: string): DomainPlan {
  const number = findParty(party)?.number ?? 0;
  const suffix = hexByte(KIND_NUMBER[kind]) + hexByte(number);
  return {
    role,
    party: partyId(party),
    domain: aid(PREFIX + TYPE.domain + suffix),
    records: aid(PREFIX + TYPE.records + suffix),
    credential: aid(PREFIX + TYPE.credential + suffix),
  };
}

/**
 * The AID of another measuring applet of a stakeholder, for a card on which it cannot have the first one:
 * that one may have gone to somebody else long ago.
 *
 * @param number from 1
 */
export function anotherApplet(records: Aid, number: number): Aid {
  return aid(records + hexByte(number));
}

function management(kind: DeviceKind): ManagementPlan {
  return {
    tsm: place(kind, 'grid-operator', TRUSTED_SERVICE_MANAGER).domain,
    authority: place(kind, 'grid-operator', CONTROLLING_AUTHORITY).domain,
  };
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}
