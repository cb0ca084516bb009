import type { Aid } from '@sefleet/globalplatform';

/** A load file that is on the card when it leaves the factory. */
export interface PreloadedLoadFile {
  readonly aid: Aid;
  readonly version: Uint8Array;
  readonly modules: readonly Aid[];
}

/** What all cards of a kind share: held once, however many cards there are. */
export interface CardProfile {
  /** Unique; images name their profile by it. */
  readonly name: string;
  /** The AID of the Issuer Security Domain. */
  readonly issuerDomain: Aid;
  /** The parameter "i" of SCP03: 70 is usual, 71 is S16. */
  readonly scp03: number;
  /** Privileges of the Issuer Security Domain. */
  readonly issuerPrivileges: number;
  readonly loadFiles: readonly PreloadedLoadFile[];
  /** Non-volatile bytes on the chip, for quotas and `6A84`. */
  readonly memoryBytes: number;
  /** The 42 bytes of card production life cycle data; the serial number at offset 12 is the card's own. */
  readonly productionData: Uint8Array;
}
