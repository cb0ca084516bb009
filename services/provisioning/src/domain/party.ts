import { OWN_CALLERS } from '@sefleet/service';

/** Who takes part, by a short name that is also the name in certificates and ledgers: `northern-power`. */
export type PartyId = string & { readonly brand: 'PartyId' };

/** What a party can be for a device, in the vocabulary of GlobalPlatform's IoT paper (§2 and §3.1). */
export const PARTY_ROLES = [
  'se-supplier',
  'se-issuer',
  'device-manufacturer',
  'tsm',
  'controlling-authority',
  'service-provider',
  'application-provider',
  'service-subscriber',
  'network-provider',
  'network-subscriber',
] as const;

/** One of {@link PARTY_ROLES}. */
export type PartyRole = (typeof PARTY_ROLES)[number];

/** A party and what it may be. Which device it is that for, contracts say. */
export interface Party {
  readonly id: PartyId;
  readonly name: string;
  readonly roles: readonly PartyRole[];
  /** Unique, 1 to 255; stands in the AIDs of the party's Security Domains. */
  readonly number: number;
}

/** A {@link PartyId} from text, without looking whether such a party exists. */
export function partyId(text: string): PartyId {
  // The only place that makes the brand.
  return text as PartyId;
}

/** The parties that every installation starts with. */
export const PARTIES: readonly Party[] = [
  party(0x01, 'chip-works', 'Chip Works', ['se-supplier']),
  party(0x02, 'trusted-services', 'Trusted Services', ['tsm']),
  party(0x03, 'controlling-authority', 'Controlling Authority', ['controlling-authority']),
  party(0x04, 'fleet-connect', 'Fleet Connect', ['network-provider']),
  party(0x05, 'meter-factory', 'Meter Factory', ['device-manufacturer']),
  party(0x10, 'city-grid', 'City Grid', ['se-issuer', 'application-provider', 'network-subscriber']),
  party(0x11, 'northern-power', 'Northern Power', ['service-provider', 'application-provider']),
  party(0x12, 'sunrise-energy', 'Sunrise Energy', ['service-provider', 'application-provider']),
  party(0x13, 'household', 'Household', ['service-subscriber', 'application-provider']),
  party(0x14, 'harbour-light', 'Harbour Light', ['service-provider', 'application-provider']),
  party(0x20, 'apex-motors', 'Apex Motors', ['se-issuer', 'device-manufacturer', 'application-provider']),
  party(0x21, 'corner-garage', 'Corner Garage', ['service-provider', 'application-provider']),
  party(0x22, 'shield-insurance', 'Shield Insurance', ['service-provider', 'application-provider']),
  party(0x23, 'vehicle-owner', 'Vehicle Owner', ['service-subscriber']),
  party(0x24, 'beacon-insurance', 'Beacon Insurance', ['service-provider', 'application-provider']),
  party(0x30, 'carekit-leasing', 'Carekit Leasing', ['se-issuer', 'device-manufacturer']),
  party(0x31, 'valley-clinic', 'Valley Clinic', ['service-provider', 'application-provider']),
  party(0x32, 'patient', 'Patient', ['service-subscriber', 'application-provider']),
  party(0x33, 'lakeside-hospital', 'Lakeside Hospital', ['service-provider', 'application-provider']),
];

/** The party that runs the network and the LwM2M servers: it owns the devices' transport credentials. */
export const NETWORK_PROVIDER: PartyId = partyId('fleet-connect');

/** The party that manages cards on behalf of all the others. */
export const TRUSTED_SERVICE_MANAGER: PartyId = partyId('trusted-services');

/** The party that vouches for those who come later. */
export const CONTROLLING_AUTHORITY: PartyId = partyId('controlling-authority');

/** Names fit a certificate, a file name, a token's label and an MQTT topic. */
export const PARTY_NAME: RegExp = /^[a-z][a-z0-9-]{1,23}$/;

/** Names of services, which their certificates bear: a party's certificate would open what is theirs. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([...OWN_CALLERS, 'ca', 'rehearsal-ground']);

/**
 * Who this process knows: those of the start, and those whom its store has admitted since. The store is the
 * truth; this is its copy, because rules ask in the middle of a thought.
 */
const KNOWN: Map<PartyId, Party> = new Map(PARTIES.map((entry) => [entry.id, entry]));

/** The party with this name, or undefined. */
export function findParty(id: string): Party | undefined {
  return KNOWN.get(partyId(id));
}

/** Everybody whom this process knows. */
export function allParties(): readonly Party[] {
  return [...KNOWN.values()];
}

/** Makes a party of the store known to the rules. */
export function admitParty(admitted: Party): void {
  KNOWN.set(admitted.id, admitted);
}

function party(number: number, id: string, name: string, roles: readonly PartyRole[]): Party {
  return { id: partyId(id), name, roles, number };
}
