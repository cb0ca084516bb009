import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { OWN_CALLERS } from '@sefleet/service';

/** Who an MQTT client is, by its certificate alone. */
export type MqttIdentity =
  | { readonly role: 'service'; readonly name: string }
  | { readonly role: 'device'; readonly endpoint: string };

/** Organisation in the certificates of our services. */
const SERVICE_ORGANISATION = 'sefleet service';

/**
 * The identity that a verified client chain proves, or undefined for a chain of another shape. TLS has
 * already checked signatures, validity and that only authorities sign.
 *
 * - authority -> service: organisation "sefleet service", the common name is that of one of ours; parties
 *   have such certificates too, and no business with the bus
 * - authority -> device: the common name is the endpoint name
 * - authority -> device -> session: a session certificate is signed with the device's own key, so that
 *   nothing it claims counts: the identity is the device's, taken from the certificate that our authority
 *   signed
 */
export function identityOf(
  socket: Pick<TLSSocket, 'getPeerCertificate' | 'authorized'>,
): MqttIdentity | undefined {
  if (!socket.authorized) return undefined;
  const leaf: DetailedPeerCertificate = socket.getPeerCertificate(true);
  const issuer = issuerOf(leaf);
  if (issuer === undefined) return undefined;
  const root = issuerOf(issuer);
  if (root === undefined) {
    const name = textOf(leaf.subject.CN);
    if (name === undefined) return undefined;
    if (textOf(leaf.subject.O) !== SERVICE_ORGANISATION) return { role: 'device', endpoint: name };
    return OWN_CALLERS.has(name) ? { role: 'service', name } : undefined;
  }
  const endpoint = textOf(issuer.subject.CN);
  const isDevice = textOf(issuer.subject.O) !== SERVICE_ORGANISATION && issuerOf(root) === undefined;
  return isDevice && endpoint !== undefined ? { role: 'device', endpoint } : undefined;
}

/**
 * The certificate above, or undefined for a self-signed one (it names itself as its issuer) or an incomplete
 * chain.
 */
function issuerOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate | undefined {
  // Node leaves the field out where a chain ends early, although its type says that it is there.
  const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
  return issuer === undefined ||
    issuer === certificate ||
    issuer.fingerprint256 === certificate.fingerprint256
    ? undefined
    : issuer;
}

/** One value: a subject that holds an attribute twice has none. */
function textOf(attribute: unknown): string | undefined {
  return typeof attribute === 'string' && attribute.length > 0 ? attribute : undefined;
}
