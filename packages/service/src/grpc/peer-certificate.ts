import type { PeerCertificate } from 'node:tls';

/** A call, as far as it tells who makes it. */
export interface AuthenticatedCall {
  getAuthContext(): { sslPeerCertificate?: PeerCertificate };
}

/** By connection: RFC 9113 §9.2.1 forbids to renegotiate one, so that its certificate stays. */
const known = new WeakMap<object, PeerCertificate>();

/**
 * The certificate that came with the connection of a call. TLS takes it apart anew whenever it is asked,
 * which costs as much as a tenth of a call: it is asked once a connection.
 */
export function peerCertificateOf(call: AuthenticatedCall): PeerCertificate | undefined {
  const connection = connectionOf(call);
  const remembered = connection && known.get(connection);
  if (remembered !== undefined) return remembered;
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (connection !== undefined && certificate !== undefined) known.set(connection, certificate);
  return certificate;
}

/** grpc-js shows connections to nobody; where its own fields are others, every call is asked. */
function connectionOf(call: object): object | undefined {
  return memberOf(memberOf(memberOf(call, 'call'), 'stream'), 'session');
}

function memberOf(holder: object | undefined, name: string): object | undefined {
  const member: unknown = holder === undefined ? undefined : Reflect.get(holder, name);
  return typeof member === 'object' && member !== null ? member : undefined;
}
