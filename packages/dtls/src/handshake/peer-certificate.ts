import { createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { isSefleetError } from '@sefleet/errors';
import type { PeerIdentity } from '@sefleet/runtime';
import type { CertificateMessage } from '../codec/certificate.ts';
import type { DigitallySigned } from '../codec/key-exchange.ts';
import { AlertDescription, ecdsa_secp256r1_sha256 } from '../constants.ts';
import { HandshakeFailure, illegalParameter } from '../errors.ts';
import type { HandshakeFailureReason, PeerTrust, TrustSubject } from '../settings.ts';

/** A peer whose certificate or key is trusted; that it holds the private key is still to be proven. */
export interface TrustedPeer {
  readonly identity: PeerIdentity;
  readonly publicKey: KeyObject;
}

/** Judges what came in a Certificate message. RFC 5246 §7.4.2, RFC 7250 §4.2. */
export async function trustPeer(
  message: CertificateMessage,
  trust: PeerTrust | undefined,
  subject: TrustSubject,
): Promise<TrustedPeer> {
  if (message.kind === 'rpk') {
    const subjectPublicKeyInfo = message.subjectPublicKeyInfo.slice();
    const publicKey = signingKeyOf(() =>
      createPublicKey({ key: Buffer.from(subjectPublicKeyInfo), format: 'der', type: 'spki' }),
    );
    if ((await trust?.rawPublicKey?.(subjectPublicKeyInfo)) !== true) {
      throw new HandshakeFailure(
        'unknownCa',
        AlertDescription.certificate_unknown,
        'this raw public key is not known',
      );
    }
    return { identity: { kind: 'rpk', subjectPublicKeyInfo }, publicKey };
  }
  const chain = message.chain.map((certificate) => certificate.slice());
  const [own] = chain;
  if (own === undefined || trust?.x509 === undefined) {
    throw new HandshakeFailure('certificateMissing', AlertDescription.handshake_failure, 'no certificate');
  }
  const certificate = parseCertificate(own);
  const publicKey = signingKeyOf(() => certificate.publicKey);
  try {
    await trust.x509(chain, subject);
  } catch (error) {
    throw refusalOf(error);
  }
  return { identity: { kind: 'x509', commonName: commonNameOf(certificate), chain }, publicKey };
}

/** Checks a signature of the peer. RFC 5246 §4.7, RFC 8422 §5.10. */
export function verifyPeerSignature(
  publicKey: KeyObject,
  signed: DigitallySigned,
  message: Uint8Array,
): void {
  if (signed.algorithm !== ecdsa_secp256r1_sha256)
    throw illegalParameter('a signature algorithm that was not offered');
  if (!verify('sha256', message, publicKey, signed.signature)) {
    throw new HandshakeFailure('badSignature', AlertDescription.decrypt_error, 'the signature is wrong');
  }
}

/** Reasons of `createX509Trust`, with the alerts of RFC 5246 §7.2.2. */
const REFUSALS: Readonly<Record<string, readonly [HandshakeFailureReason, number]>> = {
  expired: ['certificateExpired', AlertDescription.certificate_expired],
  notYetValid: ['certificateExpired', AlertDescription.certificate_expired],
  revoked: ['certificateRevoked', AlertDescription.certificate_revoked],
  unknownCa: ['unknownCa', AlertDescription.unknown_ca],
};

function refusalOf(error: unknown): HandshakeFailure {
  const reason = isSefleetError(error) ? error.context['reason'] : undefined;
  const [failureReason, alert] = (typeof reason === 'string' ? REFUSALS[reason] : undefined) ?? [
    'badCertificate',
    AlertDescription.bad_certificate,
  ];
  const why = error instanceof Error ? error.message : 'the certificate is refused';
  return new HandshakeFailure(failureReason, alert, why, error);
}

/** Suites here sign with ECDSA on P-256 only; another key cannot have made the signature. */
function signingKeyOf(read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw badCertificate('the public key cannot be read', error);
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new HandshakeFailure(
      'badCertificate',
      AlertDescription.unsupported_certificate,
      'not an ECDSA key on P-256',
    );
  }
  return key;
}

function parseCertificate(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (error) {
    throw badCertificate('the certificate cannot be read', error);
  }
}

function badCertificate(message: string, cause: unknown): HandshakeFailure {
  return new HandshakeFailure('badCertificate', AlertDescription.bad_certificate, message, cause);
}

function commonNameOf(certificate: X509Certificate): string {
  const name: unknown = certificate.toLegacyObject().subject?.CN;
  return typeof name === 'string' ? name : '';
}
