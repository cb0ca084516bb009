// x509's dependency injection reads decorator metadata through this polyfill; it has to be loaded first.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const EC_KEYS = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** A certificate and its private key, PEM. */
export interface Credential {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** What a certificate is to say. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly organisation?: string;
  readonly serverAuth?: boolean;
  readonly clientAuth?: boolean;
  /** DNS names and literal IP addresses. */
  readonly subjectAlternativeNames?: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo (DER) of a key made elsewhere; without it a key pair is made. */
  readonly subjectPublicKey?: Uint8Array;
  /**
   * Makes the subject an authority itself, below which this many further ones may follow (RFC 5280 §4.2.1.9).
   */
  readonly pathLength?: number;
}

/** A self-signed P-256 root, valid between the two instants. */
export async function createRootAuthority(
  commonName: string,
  notBefore: Date,
  notAfter: Date,
): Promise<Credential> {
  const keys = await webcrypto.subtle.generateKey(EC_KEYS, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: distinguishedName(commonName, 'sefleet'),
    notBefore,
    notAfter,
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: certificate.toString('pem'),
    privateKeyPem: await exportPrivateKey(keys.privateKey),
  };
}

/**
 * Issues a certificate. Without `subjectPublicKey` the returned credential carries the new private key; with
 * it
 * `privateKeyPem` is empty.
 */
export async function issueCertificate(issuer: Credential, request: CertificateRequest): Promise<Credential> {
  const issuerCertificate = new x509.X509Certificate(issuer.certificatePem);
  const signingKey = await importPrivateKey(issuer.privateKeyPem);
  const keys =
    request.subjectPublicKey === undefined
      ? await webcrypto.subtle.generateKey(EC_KEYS, true, ['sign', 'verify'])
      : undefined;
  const publicKey = keys?.publicKey ?? (await importPublicKey(request.subjectPublicKey ?? new Uint8Array()));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: distinguishedName(request.commonName, request.organisation ?? 'sefleet'),
    issuer: issuerCertificate.subjectName.toString(),
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    signingAlgorithm: SIGNING,
    publicKey,
    signingKey,
    extensions: await extensionsOf(request, publicKey, issuerCertificate),
  });
  return {
    certificatePem: certificate.toString('pem'),
    privateKeyPem: keys === undefined ? '' : await exportPrivateKey(keys.privateKey),
  };
}

async function extensionsOf(
  request: CertificateRequest,
  publicKey: webcrypto.CryptoKey,
  issuer: x509.X509Certificate,
): Promise<x509.Extension[]> {
  const isAuthority = request.pathLength !== undefined;
  const usages = isAuthority
    ? x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign
    : x509.KeyUsageFlags.digitalSignature;
  const extended = [
    ...(request.serverAuth === true ? [x509.ExtendedKeyUsage.serverAuth] : []),
    ...(request.clientAuth === true ? [x509.ExtendedKeyUsage.clientAuth] : []),
  ];
  const names = (request.subjectAlternativeNames ?? []).map((value) => ({
    type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const),
    value,
  }));
  return [
    new x509.BasicConstraintsExtension(isAuthority, request.pathLength, true),
    new x509.KeyUsagesExtension(usages, true),
    ...(extended.length > 0 ? [new x509.ExtendedKeyUsageExtension(extended)] : []),
    ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
    await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
}

/** A positive serial number of 16 octets (RFC 5280 §4.1.2.2). */
function serialNumber(): string {
  const octets = webcrypto.getRandomValues(new Uint8Array(16));
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(octets).toString('hex');
}

function distinguishedName(commonName: string, organisation: string): x509.JsonName {
  return [{ O: [organisation] }, { CN: [commonName] }];
}

async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const pkcs8 = new Uint8Array(x509.PemConverter.decodeFirst(pem));
  return webcrypto.subtle.importKey('pkcs8', pkcs8, EC_KEYS, false, ['sign']);
}

function importPublicKey(spki: Uint8Array): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('spki', Uint8Array.from(spki), EC_KEYS, true, ['verify']);
}
