import { createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { decode, encode } from 'cborg';

/** A meter reading as it came out of a sealed record. */
export interface SealedReading {
  readonly supplier: string;
  readonly sequence: number;
  readonly at: number;
  readonly registerWh: number;
  /** Time and all values, to compare readings by. */
  readonly reading: string;
  /** SHA-256 of the sealed record, hexadecimal. */
  readonly digest: string;
}

const ALGORITHM = { AES_CCM_16_64_128: 10, A128GCM: 1 } as const;
const TAG_BYTES: Readonly<Record<number, number>> = {
  [ALGORITHM.AES_CCM_16_64_128]: 8,
  [ALGORITHM.A128GCM]: 16,
};
const HEADER = { ALGORITHM: 1, KEY_ID: 4, IV: 5 } as const;
const FIELD = { SEQUENCE: 1, AT: 2, VALUES: 3 } as const;
/** What counts up: energy of a meter, distance of a vehicle, measurements of a medical kit. */
const COUNTERS: ReadonlySet<unknown> = new Set([1, 33, 71]);
/** CBOR tag 16, COSE_Encrypt0, as one byte. */
const COSE_ENCRYPT0_TAG = 0xd0;
const KEY_INFO = 'sefleet record key v1\0';

/**
 * Opens a sealed record (RFC 9052 §5.2) without any code of the simulator, the card or the billing.
 *
 * @param masterKey The record master of a supplier and a version, or undefined when the checker has none.
 * @returns The reading; undefined when it does not open, whatever the reason.
 */
export function openSealedReading(
  sealed: Uint8Array,
  endpoint: string,
  masterKey: (supplier: string, version: number) => Uint8Array | undefined,
): SealedReading | undefined {
  try {
    const tagged = sealed[0] === COSE_ENCRYPT0_TAG;
    const body: unknown = decode(tagged ? sealed.subarray(1) : sealed, { useMaps: true });
    if (!Array.isArray(body)) return undefined;
    const [protectedBytes, unprotected, ciphertext]: unknown[] = body;
    if (!(protectedBytes instanceof Uint8Array) || !(ciphertext instanceof Uint8Array)) return undefined;
    const header = toMap(decode(protectedBytes, { useMaps: true }));
    const outside = toMap(unprotected);
    const algorithm = Number(header.get(HEADER.ALGORITHM));
    const keyId = outside.get(HEADER.KEY_ID) ?? header.get(HEADER.KEY_ID);
    const iv = outside.get(HEADER.IV) ?? header.get(HEADER.IV);
    if (!(keyId instanceof Uint8Array) || !(iv instanceof Uint8Array)) return undefined;
    const [supplier = '', version = ''] = Buffer.from(keyId).toString('latin1').split(':');
    const master = masterKey(supplier, Number(version));
    if (master === undefined) return undefined;
    const sequence = Number(Buffer.from(iv.subarray(-8)).readBigUInt64BE());
    const key = new Uint8Array(hkdfSync('sha256', master, '', KEY_INFO + endpoint, 16));
    const external = Buffer.from(`${endpoint}|${sequence}`);
    const aad = encode(['Encrypt0', protectedBytes, external]);
    const plain = decrypt(algorithm, key, iv, aad, ciphertext);
    const record = toMap(decode(plain, { useMaps: true }));
    return {
      supplier,
      sequence,
      at: Number(record.get(FIELD.AT)),
      registerWh: energyOf(record.get(FIELD.VALUES)),
      reading: JSON.stringify([record.get(FIELD.AT), record.get(FIELD.VALUES)]),
      digest: createHash('sha256').update(sealed).digest('hex'),
    };
  } catch {
    // A record that does not decode or verify is a lost reading; which it was does not matter to the sum.
    return undefined;
  }
}

function decrypt(
  algorithm: number,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  const tagLength = TAG_BYTES[algorithm] ?? 0;
  const body = data.subarray(0, data.length - tagLength);
  const tag = data.subarray(data.length - tagLength);
  if (algorithm === ALGORITHM.A128GCM) {
    const gcm = createDecipheriv('aes-128-gcm', key, iv).setAAD(aad).setAuthTag(tag);
    const plain = gcm.update(body);
    gcm.final();
    return plain;
  }
  const ccm = createDecipheriv('aes-128-ccm', key, iv, { authTagLength: tagLength });
  ccm.setAuthTag(tag);
  ccm.setAAD(aad, { plaintextLength: body.length });
  const plain = ccm.update(body);
  ccm.final();
  return plain;
}

function energyOf(values: unknown): number {
  if (!Array.isArray(values)) return Number.NaN;
  for (const pair of values as unknown[]) {
    if (Array.isArray(pair) && COUNTERS.has(pair[0])) return Number(pair[1]);
  }
  return Number.NaN;
}

function toMap(value: unknown): ReadonlyMap<unknown, unknown> {
  return value instanceof Map ? value : new Map();
}
