// x509's dependency injection reads decorator metadata through this polyfill; it has to be loaded first.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { SefleetError } from '@sefleet/errors';
import type { Credential } from './authority.ts';

x509.cryptoProvider.set(webcrypto);

const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const EC_KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const CRL_NUMBER = '2.5.29.20';
const INTEGER = 0x02;
/** Bytes of a list that are read: half a million certificates. */
const BYTES_MAX = 16 * 1024 * 1024;

/** A certificate that no longer counts. */
export interface RevokedCertificate {
  /** Hexadecimal. */
  readonly serialNumber: string;
  readonly revokedAt: Date;
}

/** What a list says. */
export interface RevocationList {
  /** Serial numbers, lower-case hexadecimal without leading zeros. */
  readonly serialNumbers: ReadonlySet<string>;
  readonly thisUpdate: Date;
  /** When the next one comes at the latest; undefined when the list does not say. */
  readonly nextUpdate: Date | undefined;
}

/**
 * A CertificateList (RFC 5280 §5), version 2 with authority key identifier and number, DER.
 *
 * @param number Grows with every list of this issuer (RFC 5280 §5.2.3).
 */
export async function createRevocationList(
  issuer: Credential,
  options: {
    readonly number: number;
    readonly thisUpdate: Date;
    readonly nextUpdate: Date;
    readonly revoked: readonly RevokedCertificate[];
  },
): Promise<Uint8Array> {
  const certificate = new x509.X509Certificate(issuer.certificatePem);
  const pkcs8 = new Uint8Array(x509.PemConverter.decodeFirst(issuer.privateKeyPem));
  const signingKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, EC_KEYS, false, ['sign']);
  const { thisUpdate, nextUpdate, revoked } = options;
  const list = await x509.X509CrlGenerator.create({
    issuer: certificate.subjectName.toString(),
    thisUpdate,
    nextUpdate,
    signingAlgorithm: SIGNING,
    signingKey,
    entries: revoked.map(({ serialNumber, revokedAt }) => ({ serialNumber, revocationDate: revokedAt })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(certificate.publicKey),
      new x509.Extension(CRL_NUMBER, false, integer(options.number)),
    ],
  });
  return new Uint8Array(list.rawData);
}

/**
 * Reads a CertificateList.
 *
 * @param issuerPem The certificate of the authority that has to have signed it.
 * @throws SefleetError `PKI_REVOCATION_LIST_INVALID` for anything else.
 */
export async function readRevocationList(der: Uint8Array, issuerPem: string): Promise<RevocationList> {
  const issuer = new x509.X509Certificate(issuerPem);
  const list = parse(der);
  const isSigned = await list.verify({ publicKey: issuer.publicKey }).catch(() => false);
  if (!isSigned || list.issuer !== issuer.subject) {
    throw invalid('the revocation list is not signed by this authority');
  }
  return {
    serialNumbers: new Set(list.entries.map(({ serialNumber }) => normalSerialNumber(serialNumber))),
    thisUpdate: list.thisUpdate,
    nextUpdate: list.nextUpdate,
  };
}

/** A serial number as lists of this room hold it: lower-case hexadecimal without leading zeros. */
export function normalSerialNumber(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}

function parse(der: Uint8Array): x509.X509Crl {
  try {
    if (der.length > BYTES_MAX) throw new RangeError('too long');
    return new x509.X509Crl(Uint8Array.from(der));
  } catch (cause) {
    throw invalid('that is no revocation list', cause);
  }
}

/** An INTEGER that is not negative, DER. */
function integer(value: number): Uint8Array<ArrayBuffer> {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
  const positive = (bytes[0] ?? 0) >= 0x80 ? [0, ...bytes] : [...bytes];
  return Uint8Array.from([INTEGER, positive.length, ...positive]);
}

function invalid(message: string, cause?: unknown): SefleetError {
  return new SefleetError('PKI_REVOCATION_LIST_INVALID', 'peer', message, { cause });
}
