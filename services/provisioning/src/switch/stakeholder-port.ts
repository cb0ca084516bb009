import type { PartyId } from '../domain/party.ts';

/** A device's registration with a stakeholder's own LwM2M server. */
export interface StakeholderRegistration {
  readonly id: string;
  /** By the server's clock, milliseconds since 1970. */
  readonly registeredAt: number;
}

/** The LwM2M servers that stakeholders have of their own, as their owners see them. */
export interface StakeholderPort {
  /** False when the stakeholder reads its records from the network provider. */
  hasServer(party: PartyId): boolean;
  /** The device's registration there, undefined without one. */
  registration(party: PartyId, endpoint: string): Promise<StakeholderRegistration | undefined>;
  /** Sealed records that have come in from a device, in their order. */
  records(party: PartyId, endpoint: string): Promise<readonly Uint8Array[]>;
  /** Has the server ask something of the device; what came of it, as a code. */
  tryRead(party: PartyId, endpoint: string): Promise<string>;
}

/** Nobody has a server: records go to the network provider. */
export const NO_STAKEHOLDER_SERVERS: StakeholderPort = {
  hasServer: () => false,
  registration: () => Promise.resolve(undefined),
  records: () => Promise.resolve([]),
  tryRead: () => Promise.resolve(''),
};
