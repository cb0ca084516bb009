import type { Aid } from '@sefleet/globalplatform';
import type { StakeholderRole } from '../domain/card-plan.ts';
import type { Connectivity } from '../domain/connectivity.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import type { OwnCredential } from '../domain/own-credential.ts';
import type { PartyId } from '../domain/party.ts';
import type {
  DeviceRotation,
  Rotation,
  RotationOutcome,
  RotationProgress,
  RotationStep,
} from '../domain/rotation.ts';

/** A device that was made here. */
export interface Device {
  readonly endpoint: string;
  readonly kind: DeviceKind;
  /** `card`: it has a virtual secure element of ours; `software`: its owner holds the keys. */
  readonly make: 'card' | 'software';
  /** Key diversification data of its card; empty for software devices. */
  readonly diversification: Uint8Array;
  readonly connectivity: Connectivity;
}

/** A credential and the device that proves itself with it. */
export interface HeldCredential {
  readonly reference: string;
  readonly device: Device;
  /** DER; empty unless it is an authority. */
  readonly authority: Uint8Array;
}

/** A Security Domain of a device and which keys it holds. */
export interface DomainState {
  readonly endpoint: string;
  readonly domain: Aid;
  readonly role: StakeholderRole;
  readonly party: PartyId;
  readonly generation: number;
  /** Milliseconds since 1970; undefined while the factory's keys are in it. */
  readonly rotatedAt: number | undefined;
  /** Its measuring applet, where that is not the one that the card's plan has for the role. */
  readonly records?: Aid | undefined;
}

/** A device with its card, as it left the factory. */
export interface MadeCard {
  readonly device: Device;
  /** Sealed: the image holds keys. */
  readonly sealedImage: Uint8Array;
  readonly certificateChain: readonly Uint8Array[];
  readonly domains: readonly DomainState[];
  /** Stakeholders on whose own server it may have an account from the beginning. */
  readonly accounts: readonly PartyId[];
}

/** Counts of one kind. */
export interface KindCount {
  readonly kind: DeviceKind;
  readonly manufactured: number;
  readonly rotated: number;
}

/**
 * What the service keeps beside keys. A write has lasted when its promise is fulfilled, whatever happens to
 * the process after that.
 */
export interface ProvisioningStore {
  devices(endpoints: readonly string[]): Promise<ReadonlyMap<string, Device>>;
  /** Endpoints of all devices that have a card, in order. */
  cardEndpoints(): Promise<readonly string[]>;
  addSoftwareDevice(device: Device): Promise<void>;
  /** Changes how a device is to reach its LwM2M server. */
  putConnectivity(endpoint: string, connectivity: Connectivity): Promise<void>;
  /** Gives a device a credential in the place of the one of that form; false when another device has it. */
  putOwnCredential(endpoint: string, credential: OwnCredential): Promise<boolean>;
  /** Who holds which credential, by reference. */
  ownCredentials(references: readonly string[]): Promise<readonly HeldCredential[]>;
  addCards(cards: readonly MadeCard[]): Promise<void>;
  cards(endpoints: readonly string[]): Promise<ReadonlyMap<string, MadeCard>>;
  domains(endpoint: string): Promise<readonly DomainState[]>;
  /** The domains of these devices in which one of `holders` (roles or parties) has keys. */
  domainsOf(endpoints: readonly string[], holders: ReadonlySet<string>): Promise<readonly DomainState[]>;
  /** Adds the domain of a stakeholder who came after manufacture, or says what it holds now. */
  putDomain(state: DomainState): Promise<void>;
  removeDomain(endpoint: string, domain: Aid): Promise<void>;
  /** Stakeholders on whose own LwM2M server the device has an account, in order. */
  accounts(endpoint: string): Promise<readonly PartyId[]>;
  openAccount(endpoint: string, party: PartyId): Promise<void>;
  closeAccount(endpoint: string, party: PartyId): Promise<void>;
  /** Devices on which `party` has a domain in `role`, in order. */
  portfolio(party: PartyId, role: StakeholderRole): Promise<readonly string[]>;
  /** On how many cards a party's domains hold each generation of its keys. */
  generations(party: PartyId): Promise<ReadonlyMap<number, number>>;
  /** Devices on which a domain of `party` holds this generation, in order. */
  endpointsAt(party: PartyId, generation: number): Promise<readonly string[]>;
  countByKind(): Promise<readonly KindCount[]>;

  /** Writes a rotation and its devices down; gives back the one that has this request id already, if any. */
  startRotation(requestId: string, rotation: Rotation, devices: readonly DeviceRotation[]): Promise<string>;
  rotation(rotationId: string): Promise<RotationProgress | undefined>;
  latestRotation(): Promise<RotationProgress | undefined>;
  /** Rotations with devices that are not through. */
  unfinishedRotations(): Promise<readonly Rotation[]>;
  unfinishedDevices(rotationId: string): Promise<readonly DeviceRotation[]>;
  moveRotation(device: DeviceRotation, step: RotationStep): Promise<void>;
  /** Ends the rotation of a device; a confirmed one changes which generation its domain holds. */
  finishRotation(
    device: DeviceRotation,
    step: 'confirmed' | 'failed',
    outcome: RotationOutcome,
  ): Promise<void>;

  close(): Promise<void>;
}
