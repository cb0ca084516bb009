import { hkdfSync } from 'node:crypto';
import { coseError } from '../errors.ts';

/** Which key of which stakeholder a record was sealed under. */
export interface RecordKeyId {
  /** The stakeholder's name, for example "northern-power". */
  readonly stakeholder: string;
  /** Version of the stakeholder's record master key, from 1. */
  readonly keyVersion: number;
}

/** Bytes of a record master key and of a record key (AES-128). */
export const RECORD_KEY_BYTES = 16;

const STAKEHOLDER = /^[a-z0-9][a-z0-9-]{0,62}$/;
const MAX_KEY_VERSION = 0xffff_ffff;
const MAX_KEY_ID_BYTES = 80;
const INFO_PREFIX = 'sefleet record key v1\0';

/**
 * The record key of one device: HKDF-SHA-256 (RFC 5869) with `masterKey` as input keying material, no salt,
 * and `"sefleet record key v1"`, a zero byte and the endpoint name in UTF-8 as info; 16 bytes of output. Who
 * knows one device's key learns neither the master key nor another device's.
 *
 * @param masterKey 16 bytes, the stakeholder's record master key of one version
 * @param endpoint LwM2M endpoint name, for example "urn:dev:sefleet:meter-000001"
 * @throws SefleetError `COSE_KEY_INVALID`, fault `caller`.
 */
export function deriveRecordKey(masterKey: Uint8Array, endpoint: string): Uint8Array {
  if (masterKey.length !== RECORD_KEY_BYTES) {
    throw coseError('COSE_KEY_INVALID', `a record master key has ${RECORD_KEY_BYTES} bytes`);
  }
  return new Uint8Array(hkdfSync('sha256', masterKey, '', INFO_PREFIX + endpoint, RECORD_KEY_BYTES));
}

/**
 * A key identifier as it stands in the COSE header: `<stakeholder>:<version>` in ASCII, for example
 * `northern-power:3`.
 *
 * @throws SefleetError `COSE_RECORD_INVALID` for a name that is not lower-case letters, digits and dashes (at
 *   most 63), or a version that is not 1 to 2^32-1.
 */
export function encodeRecordKeyId(id: RecordKeyId): Uint8Array {
  if (!isValid(id)) throw coseError('COSE_RECORD_INVALID', 'no valid stakeholder name and key version');
  return Buffer.from(`${id.stakeholder}:${id.keyVersion}`, 'ascii');
}

/** Reads a key identifier. @throws SefleetError `COSE_RECORD_MALFORMED`, fault `peer`. */
export function decodeRecordKeyId(data: Uint8Array): RecordKeyId {
  const text = data.length <= MAX_KEY_ID_BYTES ? Buffer.from(data).toString('latin1') : '';
  const [stakeholder = '', version = '', ...more] = text.split(':');
  const id = { stakeholder, keyVersion: /^[1-9]\d{0,9}$/.test(version) ? Number(version) : 0 };
  if (more.length > 0 || !isValid(id)) {
    throw coseError('COSE_RECORD_MALFORMED', 'the key identifier is not <stakeholder>:<version>');
  }
  return id;
}

function isValid({ stakeholder, keyVersion }: RecordKeyId): boolean {
  return (
    STAKEHOLDER.test(stakeholder) &&
    Number.isInteger(keyVersion) &&
    keyVersion >= 1 &&
    keyVersion <= MAX_KEY_VERSION
  );
}
