import { CARD_PLANS } from './card-plan.ts';
import { DEVICE_KINDS, type DeviceKind } from './device-kind.ts';
import {
  CONTROLLING_AUTHORITY,
  findParty,
  NETWORK_PROVIDER,
  partyId,
  TRUSTED_SERVICE_MANAGER,
  type PartyId,
  type PartyRole,
} from './party.ts';

/** What a role lets its holder do with a device. */
export type Privilege =
  | 'make-cards'
  | 'allow-card-content'
  | 'build-devices'
  | 'manage-cards'
  | 'vouch-for-parties'
  | 'revoke-certificates'
  | 'see-domain'
  | 'rotate-domain'
  | 'read-records'
  | 'seal-records'
  | 'choose-provider'
  | 'hold-transport-keys'
  | 'connect-devices';

/** Privileges that follow from each role (GlobalPlatform's IoT paper §3.1). */
export const ROLE_PRIVILEGES: Readonly<Record<PartyRole, readonly Privilege[]>> = {
  'se-supplier': ['make-cards'],
  'se-issuer': ['allow-card-content', 'see-domain'],
  'device-manufacturer': ['build-devices'],
  tsm: ['manage-cards'],
  'controlling-authority': ['vouch-for-parties', 'revoke-certificates'],
  'service-provider': ['see-domain', 'rotate-domain', 'read-records'],
  'application-provider': ['seal-records'],
  'service-subscriber': ['choose-provider', 'read-records'],
  'network-provider': ['hold-transport-keys'],
  'network-subscriber': ['connect-devices'],
};

/** A party's right to a role, for one device or all of a kind, for a time. */
export interface Contract {
  readonly contractId: string;
  readonly party: PartyId;
  readonly role: PartyRole;
  readonly subject: { readonly endpoint: string } | { readonly kind: DeviceKind };
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  /** Undefined: until it is ended. */
  readonly validUntil: number | undefined;
  readonly reference: string;
  /** Why it was ended before its time; empty while it was not. */
  readonly endedBecause: string;
}

/** A role that a party holds for a device. */
export interface HeldRole {
  readonly role: PartyRole;
  readonly party: PartyId;
  /** The contract's id, or the AID of the Security Domain that the party has on the card. */
  readonly by: string;
}

/** Who builds, connects and subscribes to the devices of a kind; the rest is in the card's plan. */
const AROUND: Readonly<Record<DeviceKind, readonly (readonly [PartyRole, string])[]>> = {
  'smart-meter': [
    ['device-manufacturer', 'meter-factory'],
    ['network-subscriber', 'city-grid'],
    ['service-subscriber', 'household'],
  ],
  obu: [
    ['device-manufacturer', 'apex-motors'],
    ['network-subscriber', 'apex-motors'],
    ['service-subscriber', 'vehicle-owner'],
  ],
  'rpm-gateway': [
    ['device-manufacturer', 'carekit-leasing'],
    ['network-subscriber', 'carekit-leasing'],
    ['service-subscriber', 'patient'],
  ],
};

/**
 * Who chooses the supplier of a kind of device: the customer; of medical kits their owner, who leases them
 * (GlobalPlatform's IoT paper §4.3: the patient cannot change the provider).
 */
const SUBSCRIBERS: Readonly<Record<DeviceKind, PartyId>> = {
  'smart-meter': partyId('household'),
  obu: partyId('vehicle-owner'),
  'rpm-gateway': partyId('carekit-leasing'),
};

/** Whose word counts for who provides a service by devices of this kind. */
export function subscriberOf(kind: DeviceKind): PartyId {
  return SUBSCRIBERS[kind];
}

/** The contracts that every installation starts with: whatever is the same for all devices of a kind. */
export const FOUNDING_CONTRACTS: readonly Contract[] = DEVICE_KINDS.flatMap((kind) =>
  [
    ['se-supplier', 'chip-works'] as const,
    ['se-issuer', CARD_PLANS[kind].issuer] as const,
    ['tsm', TRUSTED_SERVICE_MANAGER] as const,
    ['controlling-authority', CONTROLLING_AUTHORITY] as const,
    ['network-provider', NETWORK_PROVIDER] as const,
    ...AROUND[kind],
  ].map(([role, party]) => founding(kind, role, party)),
);

/**
 * Who holds which role for a device at `now`: by contracts in force, and by the Security Domains that the
 * card holds at this moment, which change hands with every switch.
 */
export function rolesFor(
  device: { readonly endpoint: string; readonly kind: DeviceKind },
  domains: readonly { readonly domain: string; readonly party: PartyId }[],
  contracts: readonly Contract[],
  now: number,
): readonly HeldRole[] {
  const held: HeldRole[] = contracts
    .filter((contract) => isInForce(contract, now) && isAbout(contract, device))
    .map(({ role, party, contractId }) => ({ role, party, by: contractId }));
  for (const { domain, party } of domains) {
    const mayProvide = findParty(party)?.roles.includes('service-provider') === true;
    if (mayProvide) held.push({ role: 'service-provider', party, by: domain });
    held.push({ role: 'application-provider', party, by: domain });
  }
  return held;
}

/** True when `party` may do this with the device. */
export function mayDo(held: readonly HeldRole[], party: string, privilege: Privilege): boolean {
  return held.some((role) => role.party === party && ROLE_PRIVILEGES[role.role].includes(privilege));
}

function isInForce({ validFrom, validUntil, endedBecause }: Contract, now: number): boolean {
  return endedBecause === '' && validFrom <= now && (validUntil === undefined || now < validUntil);
}

function isAbout(
  { subject }: Contract,
  device: { readonly endpoint: string; readonly kind: DeviceKind },
): boolean {
  return 'kind' in subject ? subject.kind === device.kind : subject.endpoint === device.endpoint;
}

function founding(kind: DeviceKind, role: PartyRole, party: string): Contract {
  return {
    contractId: `founding ${kind} ${role}`,
    party: partyId(party),
    role,
    subject: { kind },
    validFrom: 0,
    validUntil: undefined,
    reference: 'there from the beginning',
    endedBecause: '',
  };
}
