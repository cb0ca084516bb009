import { bytesEqual } from '@sefleet/bytes';
import { certificateSerial, decodeTlvs, STATUS_WORD, type Tlv } from '@sefleet/globalplatform';
import type { SecurityDomain, StoredObject } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import type { KeyPlace } from '../registry/special-keys.ts';
import { readCertificateSelector } from './get-data.ts';

const LIST = 0x70;
const SERIAL = 0x93;
/** Serial numbers in a list: as many as there are parties in a fleet, and more. */
const MAX_SERIALS = 256;
/** Above every tag of one or two bytes and below those of three: no tag has these numbers. */
const PLACE = 0x1_0000;

/** The list of allowed serial numbers for a key (GPC_SPE_093 §7.4): A6 names the key, 70 carries them. */
export function isAllowList(given: readonly Tlv[]): boolean {
  return given.length === 2 && given[0]?.tag === 0xa6 && given[1]?.tag === LIST;
}

/** What is stored for it. An empty list allows nobody. */
export function allowListOf(given: readonly Tlv[]): StoredObject {
  const value = given[1]?.value ?? new Uint8Array();
  const serials = decodeTlvs(value);
  if (serials.length > MAX_SERIALS) refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  if (serials.some(({ tag, value: serial }) => tag !== SERIAL || serial.length === 0)) {
    refuse(STATUS_WORD.WRONG_DATA);
  }
  return { tag: PLACE | readCertificateSelector(given), value: value.slice() };
}

/**
 * Refuses a certificate that the key at `place` signed and whose serial number is not on that key's list;
 * without a list every certificate is allowed.
 */
export function requireAllowed(domain: SecurityDomain, place: KeyPlace, certificate: Uint8Array): void {
  const list = domain.objects.find(({ tag }) => tag === (PLACE | (place.id << 8) | place.version));
  if (list === undefined) return;
  const serial = certificateSerial(certificate);
  if (decodeTlvs(list.value).some(({ value }) => bytesEqual(value, serial))) return;
  // As for a certificate that does not verify: it is not one that this authority stands for.
  refuse(STATUS_WORD.WRONG_DATA);
}
