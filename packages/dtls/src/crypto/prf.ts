import { createHmac } from 'node:crypto';

/**
 * The pseudorandom function of TLS 1.2 with SHA-256. RFC 5246 §5.
 *
 * @param length number of bytes wanted
 */
export function prf(secret: Uint8Array, label: string, seed: Uint8Array, length: number): Uint8Array {
  const labelled = Buffer.concat([Buffer.from(label, 'latin1'), seed]);
  const out = new Uint8Array(length);
  let a = hmac(secret, labelled);
  for (let at = 0; at < length; at += HASH_LENGTH) {
    const block = createHmac('sha256', secret).update(a).update(labelled).digest();
    out.set(at + HASH_LENGTH <= length ? block : block.subarray(0, length - at), at);
    if (at + HASH_LENGTH < length) a = hmac(secret, a);
  }
  return out;
}

const HASH_LENGTH = 32;

function hmac(key: Uint8Array, data: Uint8Array): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
