import { ByteWriter, concatBytes } from '@sefleet/bytes';
import { aidBytes, encodeDgis, encodeTlv, storeDataCommands } from '@sefleet/globalplatform';
import type { Aid, CommandApdu, KeyEncryptor } from '@sefleet/globalplatform';
import { ACCOUNT_DGI, GRANT_TAG, MEASURING_TAG } from '../applets/measuring/measuring-protocol.ts';
import { wrapSecret } from './secret-wrapping.ts';

/** Whose records are sealed, and under which key. */
export interface RecordAccountPlan {
  /** Name of the stakeholder, as it stands in the key identifier of sealed records. */
  readonly stakeholder: string;
  /** Version of the stakeholder's record master key, from 1. */
  readonly keyVersion: number;
  /** The device's endpoint name: records of this card pass for no other device's. */
  readonly endpoint: string;
  /** The device's own record key, 16 bytes. */
  readonly recordKey: Uint8Array;
  /**
   * Records are numbered from the next number on; 0 unless given. Who comes back to a card comes with the
   * same record key: a number that is beyond all of the former ones keeps nonces from being used twice.
   */
  readonly sequenceFloor?: number;
  /** For a cut-over: which application of another domain gets the account, and when. */
  readonly grant?: CutOverGrant;
}

/** What a new stakeholder stages for a cut-over. */
export interface CutOverGrant {
  readonly application: Aid;
  /** The time that the cut-over reading bears, milliseconds since 1970. */
  readonly instantMs: number;
  /** 16 random bytes that whoever orders the cut-over from the card has to know. */
  readonly activation: Uint8Array;
  /** What the application gets at the instant, in its own format: a tariff, or bounds. */
  readonly parameters?: Uint8Array;
}

/**
 * The commands that store the record account of a Security Domain, for an open session under the domain's own
 * keys. All of the account changes, or nothing.
 */
export function recordAccountCommands(
  session: KeyEncryptor,
  account: RecordAccountPlan,
): readonly CommandApdu[] {
  const { keyVersion: v, grant } = account;
  const owner = concatBytes(
    encodeTlv(MEASURING_TAG.STAKEHOLDER, Buffer.from(account.stakeholder)),
    encodeTlv(MEASURING_TAG.KEY_VERSION, Uint8Array.of(v >>> 24, v >> 16, v >> 8, v)),
    encodeTlv(MEASURING_TAG.ENDPOINT, Buffer.from(account.endpoint)),
    encodeFloor(account.sequenceFloor),
  );
  const data = encodeDgis([
    { id: ACCOUNT_DGI.OWNER, data: owner },
    { id: ACCOUNT_DGI.RECORD_KEY, data: wrapSecret(session, account.recordKey) },
    ...(grant === undefined ? [] : [{ id: ACCOUNT_DGI.GRANT, data: encodeGrant(grant) }]),
  ]);
  return storeDataCommands(data, { format: 'dgi', encrypted: true });
}

function encodeFloor(floor = 0): Uint8Array {
  if (floor === 0) return new Uint8Array(0);
  return encodeTlv(MEASURING_TAG.SEQUENCE, new ByteWriter(6).u48(floor).finish());
}

function encodeGrant({ application, instantMs, activation, parameters }: CutOverGrant): Uint8Array {
  return concatBytes(
    encodeTlv(GRANT_TAG.APPLICATION, aidBytes(application)),
    encodeTlv(GRANT_TAG.INSTANT, new ByteWriter(8).u64(BigInt(instantMs)).finish()),
    encodeTlv(GRANT_TAG.ACTIVATION, activation),
    parameters === undefined ? new Uint8Array(0) : encodeTlv(GRANT_TAG.PARAMETERS, parameters),
  );
}
