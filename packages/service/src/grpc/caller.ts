import { X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import { SefleetError } from '@sefleet/errors';
import { SERVICE_ORGANISATION } from '../local-pki.ts';

/** Metadata with the name of the caller whose call a service passes on. */
export const ON_BEHALF_OF = 'sefleet-on-behalf-of';

/** Our own services and the command. Parties have certificates of services too, and are none of these. */
export const OWN_CALLERS: ReadonlySet<string> = new Set([
  'analytics',
  'cli',
  'device-sim',
  'lwm2m-server',
  'provisioning',
]);

/** Verified certificates that are remembered; a fleet of services has a handful. */
const MAX_REMEMBERED = 256;

/**
 * Tells services from everybody else whom our authority has certified. Devices hold certificates of the same
 * authority, and vehicles may even sign with theirs (session certificates): so the authority itself has to
 * have signed the caller's certificate, and the certificate has to be one of a service.
 *
 * @param isRevoked Asked for each call, with the certificate's serial number in hexadecimal.
 * @returns a function from a caller's certificate to the service's name; it throws `GRPC_CALLER_FORBIDDEN`
 *   or `GRPC_CALLER_REVOKED`.
 */
export function createCallerCheck(
  authorityPem: Buffer,
  isRevoked: (serialNumber: string) => boolean = () => false,
): (certificate: PeerCertificate | undefined) => string {
  const authority = new X509Certificate(authorityPem);
  const signedByAuthority = new Set<string>();
  const isSigned = ({ fingerprint256, raw }: PeerCertificate): boolean => {
    if (signedByAuthority.has(fingerprint256)) return true;
    const certificate = new X509Certificate(raw);
    if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) return false;
    if (signedByAuthority.size >= MAX_REMEMBERED) signedByAuthority.clear();
    signedByAuthority.add(fingerprint256);
    return true;
  };
  return (certificate) => {
    const name: unknown = certificate?.subject.CN;
    const isService = certificate?.subject.O === SERVICE_ORGANISATION && isSigned(certificate);
    if (isService && isRevoked(certificate.serialNumber)) {
      throw new SefleetError('GRPC_CALLER_REVOKED', 'caller', "the caller's certificate was revoked");
    }
    if (isService && typeof name === 'string') return name;
    throw new SefleetError(
      'GRPC_CALLER_FORBIDDEN',
      'caller',
      'only services and operators may call; this certificate is of neither',
      { hint: 'Use the certificate of the command: cli.pem and cli.key in the folder pki.' },
    );
  };
}
