import type { Aid } from '@sefleet/globalplatform';
import type { Life } from './lineage.ts';

/**
 * The non-volatile memory of a card. It is immutable: a command builds the next one and the card takes it
 * over in one step, so there is no moment at which a power cut could find half a change.
 */
export interface CardState {
  readonly revision: number;
  readonly lifeCycle: number;
  readonly identity: CardIdentity;
  /** The runs of the card so far, the newest last. */
  readonly lives: readonly Life[];
  /** Confirmation counter: receipts made so far. */
  readonly confirmationCounter: number;
  /** Digests of tokens that hold once and were used. */
  readonly usedTokens: readonly Uint8Array[];
  /** Load files beyond those of the profile. */
  readonly loadFiles: readonly LoadFileEntry[];
  /** Preloaded load files that were deleted. */
  readonly deletedLoadFiles: readonly Aid[];
  /** The Issuer Security Domain first. */
  readonly entries: readonly Entry[];
}

/** What the factory wrote and nobody changes. */
interface CardIdentity {
  readonly diversificationData: Uint8Array;
}

/** One key. `value` is the secret itself, a public point, or an RSA modulus with `exponent` beside it. */
export interface Key {
  readonly id: number;
  readonly type: number;
  readonly value: Uint8Array;
  readonly exponent?: Uint8Array;
}

/** The keys of one version, and the SCP03 sequence counter of theirs. */
export interface KeySet {
  readonly version: number;
  readonly sequence: number;
  readonly keys: readonly Key[];
}

/** A data object that STORE DATA wrote into a Security Domain. */
export interface StoredObject {
  readonly tag: number;
  readonly value: Uint8Array;
}

/**
 * Under which name and key records are sealed for the owner of a Security Domain. The domain's sealing
 * service uses it; no application ever sees the key.
 */
export interface RecordAccount {
  /** The stakeholder's name, as it stands in the key identifier of records. */
  readonly stakeholder: string;
  /** Version of the stakeholder's record master key. */
  readonly keyVersion: number;
  readonly endpoint: string;
  readonly recordKey: Uint8Array;
  /** The sequence number of the last record; nonces are made of it. */
  readonly sequence: number;
  /** The sequence number of the first record, 0 before there is one: a lower one is a replay. */
  readonly firstSequence: number;
  /** Set by the closing record of a cut-over: nothing is sealed under it any more. */
  readonly closed: boolean;
  readonly grant: RecordGrant | undefined;
}

/** To which application of another domain an account opens, when, and on whose word. */
export interface RecordGrant {
  readonly application: Aid;
  /** The time that the cut-over reading bears, milliseconds since 1970. */
  readonly instantMs: number;
  readonly activation: Uint8Array;
  /** What the application gets at the instant. */
  readonly parameters: Uint8Array;
  /** True from the instant on. */
  readonly active: boolean;
}

/** A Security Domain in the registry. */
export interface SecurityDomain {
  readonly kind: 'security-domain';
  readonly aid: Aid;
  readonly lifeCycle: number;
  readonly privileges: number;
  /** The Security Domain that it belongs to; itself at the root of a hierarchy. */
  readonly parent: Aid;
  readonly loadFile: Aid | undefined;
  readonly module: Aid | undefined;
  readonly scp03: number;
  readonly acceptsExtraditionHere: boolean;
  readonly acceptsExtraditionAway: boolean;
  readonly acceptsDeletion: boolean;
  readonly controllingAuthority: boolean;
  /** Bytes granted to the domain and everything below it; 0 is no limit of its own. */
  readonly quotaBytes: number;
  readonly keySets: readonly KeySet[];
  readonly objects: readonly StoredObject[];
  readonly account: RecordAccount | undefined;
}

/** An application in the registry. `state` belongs to its applet alone. */
export interface Application {
  readonly kind: 'application';
  readonly aid: Aid;
  readonly lifeCycle: number;
  readonly privileges: number;
  readonly parent: Aid;
  readonly loadFile: Aid;
  readonly module: Aid;
  readonly state: unknown;
}

/** What has an AID and can be selected. */
export type Entry = SecurityDomain | Application;

/** An executable load file. */
export interface LoadFileEntry {
  readonly aid: Aid;
  readonly version: Uint8Array;
  readonly modules: readonly Aid[];
  readonly parent: Aid;
  /** Bytes of its code, for quotas. */
  readonly size: number;
}
