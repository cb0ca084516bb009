import { decodeCertificateRequest, encodeCertificate } from '../codec/certificate.ts';
import { encodeClientHello } from '../codec/hello.ts';
import {
  CertificateType,
  CLIENT_CERTIFICATE_TYPE_ECDSA_SIGN,
  DTLS_1_2,
  ecdsa_secp256r1_sha256,
  TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
} from '../constants.ts';
import type { SigningKeyProvider } from '../credentials/key-providers.ts';
import { insufficient } from '../errors.ts';
import type { ClientOffer } from './client-hello-offer.ts';

/**
 * The body of a ClientHello for an offer; the second differs from the first by the cookie only (RFC 6347
 * §4.2.1).
 */
export function clientHello(offer: ClientOffer, random: Uint8Array, cookie: Uint8Array): Uint8Array {
  return encodeClientHello({
    version: DTLS_1_2,
    random,
    sessionId: offer.resume?.sessionId ?? NO_BYTES,
    cookie,
    cipherSuites: [...offer.suites.map((suite) => suite.id), TLS_EMPTY_RENEGOTIATION_INFO_SCSV],
    compressionMethods: NO_COMPRESSION,
    extensions: offer.extensions,
  });
}

/** Refuses a CertificateRequest that the client's key cannot answer. RFC 5246 §7.4.4. */
export function checkCertificateRequest(body: Uint8Array, signingKey: SigningKeyProvider | undefined): void {
  const request = decodeCertificateRequest(body);
  const canSign =
    request.certificateTypes.includes(CLIENT_CERTIFICATE_TYPE_ECDSA_SIGN) &&
    request.signatureAlgorithms.includes(ecdsa_secp256r1_sha256);
  if (canSign || signingKey === undefined) return;
  throw insufficient('the server takes no ECDSA signature over SHA-256');
}

/**
 * The body of the client's Certificate message, empty when it has nothing of the agreed type, and whether it
 * is.
 */
export function clientCertificate(
  certificateType: number,
  signingKey: SigningKeyProvider | undefined,
): { readonly body: Uint8Array; readonly isEmpty: boolean } {
  if (certificateType === CertificateType.RawPublicKey) {
    const subjectPublicKeyInfo = signingKey?.subjectPublicKeyInfo ?? NO_BYTES;
    return {
      body: encodeCertificate({ kind: 'rpk', subjectPublicKeyInfo }),
      isEmpty: subjectPublicKeyInfo.length === 0,
    };
  }
  const chain = signingKey?.certificateChain ?? [];
  return { body: encodeCertificate({ kind: 'x509', chain }), isEmpty: chain.length === 0 };
}

const NO_BYTES = new Uint8Array(0);
const NO_COMPRESSION = Uint8Array.of(0);
