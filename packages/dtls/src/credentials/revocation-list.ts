import { verify, type KeyObject } from 'node:crypto';
import { toHex } from '@sefleet/bytes';
import { decodeAll, decodeError } from '../errors.ts';
import { readExtension } from './certificate-extensions.ts';
import { DerTag, readElement, readOptional, readTagged, readTime } from './der.ts';

/** A certificate revocation list. RFC 5280 §5.1. `node:crypto` reads none, so this does. */
export interface RevocationList {
  /** DER contents of the issuer's name in hexadecimal. */
  readonly issuer: string;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number | undefined;
  /** Serial numbers, DER contents in hexadecimal. */
  readonly revoked: ReadonlySet<string>;
  /** True when the issuer's key signed it. */
  signedBy(issuerKey: KeyObject): boolean;
}

/**
 * Reads a list.
 *
 * @throws SefleetError `DTLS_DECODE` when it is malformed, or limited in a way that is not understood (a
 * critical
 *   extension, RFC 5280 §5.2)
 */
export function readRevocationList(der: Uint8Array): RevocationList {
  return decodeAll('revocation list', der, (reader) => {
    const list = readTagged(reader, DerTag.SEQUENCE);
    const signed = readElement(list);
    if (signed.tag !== DerTag.SEQUENCE) throw decodeError('revocation list: no list');
    const tbs = signed.body;
    readOptional(tbs, DerTag.INTEGER);
    readElement(tbs);
    const issuer = toHex(readTagged(tbs, DerTag.SEQUENCE).rest());
    const thisUpdateMs = readTime(tbs);
    const next = tbs.peek();
    const hasNext = next === DerTag.UTC_TIME || next === DerTag.GENERALIZED_TIME;
    const nextUpdateMs = hasNext ? readTime(tbs) : undefined;
    const revoked = new Set<string>();
    const entries = readOptional(tbs, DerTag.SEQUENCE);
    while (entries !== undefined && entries.remaining > 0) {
      const entry = readTagged(entries, DerTag.SEQUENCE);
      revoked.add(toHex(readTagged(entry, DerTag.INTEGER).rest()));
    }
    const block = readOptional(tbs, DerTag.CONTEXT_0);
    const extensions = block === undefined ? undefined : readTagged(block, DerTag.SEQUENCE);
    while (extensions !== undefined && extensions.remaining > 0) {
      if (readExtension(extensions).critical) throw decodeError('revocation list: a critical extension');
    }
    const algorithm = toHex(readTagged(readTagged(list, DerTag.SEQUENCE), DerTag.OBJECT_IDENTIFIER).rest());
    const bits = readTagged(list, DerTag.BIT_STRING);
    bits.u8();
    const signature = bits.rest();
    const message = der.subarray(signed.start, signed.end);
    const signedBy = (key: KeyObject): boolean => verifies(algorithm, message, key, signature);
    return { issuer, thisUpdateMs, nextUpdateMs, revoked, signedBy };
  });
}

/** Signature algorithms of RFC 5758 §3.2 and RFC 4055 §5, DER contents in hexadecimal. */
const DIGESTS: Readonly<Record<string, string>> = {
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
};

function verifies(algorithm: string, message: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  const digest = DIGESTS[algorithm];
  return digest !== undefined && verify(digest, message, key, signature);
}
