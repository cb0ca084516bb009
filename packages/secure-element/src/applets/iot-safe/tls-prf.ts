import { createHmac } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';

/** P_SHA256 of TLS 1.2 over label and seed, which come joined (RFC 5246 §5). */
export function tlsPrfSha256(secret: Uint8Array, labelAndSeed: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let a: Uint8Array = labelAndSeed;
  for (let at = 0; at < length;) {
    a = createHmac('sha256', secret).update(a).digest();
    const block = createHmac('sha256', secret).update(a).update(labelAndSeed).digest();
    out.set(block.subarray(0, length - at), at);
    at += block.length;
  }
  return out;
}

/** The premaster secret of PSK suites (RFC 4279 §2, RFC 5489 §2): both secrets, each behind its length. */
export function pskPremaster(psk: Uint8Array, otherSecret: Uint8Array | undefined): Uint8Array {
  const other = otherSecret ?? new Uint8Array(psk.length);
  return concatBytes(lengthOf(other), other, lengthOf(psk), psk);
}

function lengthOf(secret: Uint8Array): Uint8Array {
  return Uint8Array.of(secret.length >> 8, secret.length);
}
