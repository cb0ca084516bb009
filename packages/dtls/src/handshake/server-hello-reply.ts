import { encodeOpaque8, encodeRecordSizeLimit } from '../codec/extensions.ts';
import type { ClientHello, RawExtensions } from '../codec/hello.ts';
import { CertificateType, ExtensionType, PLAINTEXT_MAX } from '../constants.ts';
import type { ClientWishes, ServerChoice } from './server-choice.ts';

/** What decides the extensions of a ServerHello beside the client's wishes. */
export interface ServerHelloReply {
  readonly hello: ClientHello;
  readonly wishes: ClientWishes;
  /** Undefined when a session is resumed. */
  readonly choice: ServerChoice | undefined;
  readonly clientAuthentication: boolean;
  /** The connection ID that we want on the client's records; undefined: the extension is not answered. */
  readonly receiveCid: Uint8Array | undefined;
  readonly recordSizeLimit: number | undefined;
  /** Ours and the client's wish. */
  readonly returnRoutability: boolean;
}

/** The extensions of ServerHello: answers to what the client sent, and nothing else (RFC 5246 §7.4.1.4). */
export function serverHelloExtensions(reply: ServerHelloReply): RawExtensions {
  const { hello, wishes, choice, receiveCid } = reply;
  const extensions = new Map<number, Uint8Array>();
  const asked = (type: number): boolean => hello.extensions.has(type);
  if (wishes.secureRenegotiation) extensions.set(ExtensionType.renegotiation_info, encodeOpaque8(EMPTY));
  if (wishes.extendedMasterSecret) extensions.set(ExtensionType.extended_master_secret, EMPTY);
  if (receiveCid !== undefined) extensions.set(ExtensionType.connection_id, encodeOpaque8(receiveCid));
  if (reply.returnRoutability) extensions.set(ExtensionType.rrc, EMPTY);
  if (asked(ExtensionType.record_size_limit)) {
    const limit = encodeRecordSizeLimit(reply.recordSizeLimit ?? PLAINTEXT_MAX);
    extensions.set(ExtensionType.record_size_limit, limit);
  }
  if (choice === undefined) return extensions;
  // RFC 6066 §3: acknowledged when a full handshake used the name.
  if (wishes.serverName !== undefined) extensions.set(ExtensionType.server_name, EMPTY);
  if (choice.group !== undefined && asked(ExtensionType.ec_point_formats)) {
    extensions.set(ExtensionType.ec_point_formats, encodeOpaque8(UNCOMPRESSED));
  }
  if (choice.suite.keyExchange !== 'ECDHE_ECDSA') return extensions;
  const { serverCertificateType, clientCertificateType } = choice;
  // RFC 7250 §4.2: X.509 is what no answer means, and clients that predate the extension send none.
  if (asked(ExtensionType.server_certificate_type)) {
    extensions.set(ExtensionType.server_certificate_type, Uint8Array.of(serverCertificateType));
  }
  const rawClientKey = clientCertificateType === CertificateType.RawPublicKey;
  if (reply.clientAuthentication && asked(ExtensionType.client_certificate_type) && rawClientKey) {
    extensions.set(ExtensionType.client_certificate_type, Uint8Array.of(clientCertificateType));
  }
  return extensions;
}

const EMPTY = new Uint8Array(0);
const UNCOMPRESSED = Uint8Array.of(0);
