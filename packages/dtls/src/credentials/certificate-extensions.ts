import { toHex } from '@sefleet/bytes';
import type { ByteReader } from '@sefleet/bytes';
import { decodeAll } from '../errors.ts';
import { DerTag, readElement, readOptional, readTagged } from './der.ts';

/** What `node:crypto` does not say about a certificate. */
export interface CertificateFacts {
  /** DER, for comparing with a revocation list. */
  readonly serialNumber: string;
  readonly issuer: string;
  /** Bits of RFC 5280 §4.2.1.3, first bit highest; undefined: the key may be used for anything. */
  readonly keyUsage: number | undefined;
  /** RFC 5280 §4.2.1.9: how many CA certificates may follow below this one. */
  readonly pathLength: number | undefined;
  /** Object identifiers of critical extensions, DER in hexadecimal. */
  readonly criticalExtensions: readonly string[];
}

export const KEY_USAGE_DIGITAL_SIGNATURE = 0x80;

/** Object identifiers of RFC 5280 §4.2.1, their DER contents in hexadecimal. */
export const ExtensionOid = {
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  extendedKeyUsage: '551d25',
} as const;

/** Reads the fields of RFC 5280 §4.1 that chain validation needs beside what `X509Certificate` gives. */
export function readCertificateFacts(der: Uint8Array): CertificateFacts {
  return decodeAll('certificate', der, (reader) => {
    const certificate = readTagged(reader, DerTag.SEQUENCE);
    const tbs = readTagged(certificate, DerTag.SEQUENCE);
    readOptional(tbs, DerTag.CONTEXT_0);
    const serialNumber = toHex(readTagged(tbs, DerTag.INTEGER).rest());
    readElement(tbs);
    const issuer = toHex(readTagged(tbs, DerTag.SEQUENCE).rest());
    let extensions: ByteReader | undefined;
    while (tbs.remaining > 0) {
      const { tag, body } = readElement(tbs);
      if (tag === DerTag.CONTEXT_3) extensions = readTagged(body, DerTag.SEQUENCE);
    }
    // Signature algorithm and value: node:crypto checks them.
    certificate.rest();
    return { serialNumber, issuer, ...readExtensions(extensions) };
  });
}

/** One entry of an Extensions field. RFC 5280 §4.1. */
export function readExtension(reader: ByteReader): { oid: string; critical: boolean; value: ByteReader } {
  const extension = readTagged(reader, DerTag.SEQUENCE);
  const oid = toHex(readTagged(extension, DerTag.OBJECT_IDENTIFIER).rest());
  const critical = readOptional(extension, DerTag.BOOLEAN)?.u8() === 0xff;
  return { oid, critical, value: readTagged(extension, DerTag.OCTET_STRING) };
}

function readExtensions(
  extensions: ByteReader | undefined,
): Pick<CertificateFacts, 'keyUsage' | 'pathLength' | 'criticalExtensions'> {
  let keyUsage: number | undefined;
  let pathLength: number | undefined;
  const criticalExtensions: string[] = [];
  while (extensions !== undefined && extensions.remaining > 0) {
    const { oid, critical, value } = readExtension(extensions);
    if (critical) criticalExtensions.push(oid);
    if (oid === ExtensionOid.keyUsage) {
      const bits = readTagged(value, DerTag.BIT_STRING);
      bits.u8();
      keyUsage = bits.remaining > 0 ? bits.u8() : 0;
    } else if (oid === ExtensionOid.basicConstraints) {
      const constraints = readTagged(value, DerTag.SEQUENCE);
      readOptional(constraints, DerTag.BOOLEAN);
      pathLength = readOptional(constraints, DerTag.INTEGER)?.u8();
    }
  }
  return { keyUsage, pathLength, criticalExtensions };
}
