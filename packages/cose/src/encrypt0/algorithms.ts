/** One content encryption algorithm of RFC 9053 §4. */
export interface CoseAlgorithm {
  /** Number in the IANA registry "COSE Algorithms". */
  readonly id: number;
  readonly name: string;
  readonly cipher: `aes-${128 | 192 | 256}-${'ccm' | 'gcm'}`;
  readonly keyBytes: number;
  readonly nonceBytes: number;
  readonly tagBytes: number;
}

/** The two that sefleet's records use: {@link COSE_ALGORITHMS} has the others. */
export const AES_CCM_16_64_128 = 10;
export const A128GCM = 1;

/** AES-GCM (RFC 9053 §4.1) and AES-CCM (§4.2), by number. */
export const COSE_ALGORITHMS: ReadonlyMap<number, CoseAlgorithm> = new Map(
  [
    gcm(1, 128),
    gcm(2, 192),
    gcm(3, 256),
    ccm(10, 16, 64, 128),
    ccm(11, 16, 64, 256),
    ccm(12, 64, 64, 128),
    ccm(13, 64, 64, 256),
    ccm(30, 16, 128, 128),
    ccm(31, 16, 128, 256),
    ccm(32, 64, 128, 128),
    ccm(33, 64, 128, 256),
  ].map((algorithm) => [algorithm.id, algorithm]),
);

function gcm(id: number, keyBits: 128 | 192 | 256): CoseAlgorithm {
  return {
    id,
    name: `A${keyBits}GCM`,
    cipher: `aes-${keyBits}-gcm`,
    keyBytes: keyBits / 8,
    nonceBytes: 12,
    tagBytes: 16,
  };
}

/** `lengthBits` is the size of CCM's length field: the nonce takes what it leaves of 15 bytes. */
function ccm(id: number, lengthBits: 16 | 64, tagBits: 64 | 128, keyBits: 128 | 256): CoseAlgorithm {
  return {
    id,
    name: `AES-CCM-${lengthBits}-${tagBits}-${keyBits}`,
    cipher: `aes-${keyBits}-ccm`,
    keyBytes: keyBits / 8,
    nonceBytes: 15 - lengthBits / 8,
    tagBytes: tagBits / 8,
  };
}
