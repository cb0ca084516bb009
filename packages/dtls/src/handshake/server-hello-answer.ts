import type { CipherSuite } from '../cipher-suites.ts';
import { decodeCertificateType, decodeOpaque8, decodeRecordSizeLimit } from '../codec/extensions.ts';
import type { RawExtensions, ServerHello } from '../codec/hello.ts';
import { AlertDescription, CertificateType, DTLS_1_2, ExtensionType, PLAINTEXT_MAX } from '../constants.ts';
import { HandshakeFailure, illegalParameter } from '../errors.ts';
import { offeredSuite, type ClientOffer } from './client-hello-offer.ts';

/** What the hellos settled, as the client reads the server's answer. */
export interface Negotiated {
  readonly suite: CipherSuite;
  readonly serverRandom: Uint8Array;
  readonly sessionId: Uint8Array;
  readonly extendedMasterSecret: boolean;
  readonly serverCertificateType: number;
  readonly clientCertificateType: number;
  /** The connection ID that the server wants on our records; undefined when the extension was not agreed. */
  readonly serverCid: Uint8Array | undefined;
  readonly recordSizeLimit: number;
  readonly returnRoutability: boolean;
}

/** RFC 8449 §4: smaller limits are an error. */
export const RECORD_SIZE_LIMIT_MIN = 64;

/** Holds a ServerHello against the offer. RFC 5246 §7.4.1.3. */
export function readServerHello(hello: ServerHello, offer: ClientOffer): Negotiated {
  if (hello.version !== DTLS_1_2) {
    throw new HandshakeFailure(
      'protocolVersion',
      AlertDescription.protocol_version,
      'the server wants another version',
    );
  }
  const suite = offeredSuite(offer, hello.cipherSuite);
  if (suite === undefined || hello.compressionMethod !== 0)
    throw illegalParameter('a choice that was not offered');
  const { extensions } = hello;
  for (const type of extensions.keys()) {
    // RFC 5746 §3.4: the signalling cipher suite asks for renegotiation_info without the extension.
    if (type === ExtensionType.renegotiation_info || offer.extensions.has(type)) continue;
    throw new HandshakeFailure(
      'illegalParameter',
      AlertDescription.unsupported_extension,
      `extension ${type} was not offered`,
    );
  }
  const renegotiation = extensions.get(ExtensionType.renegotiation_info);
  if (renegotiation !== undefined && decodeOpaque8('renegotiation_info', renegotiation).length > 0) {
    throw new HandshakeFailure(
      'illegalParameter',
      AlertDescription.handshake_failure,
      'no renegotiation is under way',
    );
  }
  const cid = extensions.get(ExtensionType.connection_id);
  return {
    suite,
    serverRandom: hello.random.slice(),
    sessionId: hello.sessionId.slice(),
    extendedMasterSecret: extensions.has(ExtensionType.extended_master_secret),
    serverCertificateType: chosenType(
      extensions,
      ExtensionType.server_certificate_type,
      offer.serverCertificateTypes,
    ),
    clientCertificateType: chosenType(
      extensions,
      ExtensionType.client_certificate_type,
      offer.clientCertificateTypes,
    ),
    serverCid: cid === undefined ? undefined : decodeOpaque8('connection_id', cid).slice(),
    recordSizeLimit: recordSizeLimitOf(extensions),
    returnRoutability: cid !== undefined && extensions.has(ExtensionType.rrc),
  };
}

/** RFC 7250 §4.2: without an answer it is X.509. */
function chosenType(extensions: RawExtensions, extension: number, offered: readonly number[]): number {
  const data = extensions.get(extension);
  if (data === undefined) return CertificateType.X509;
  const type = decodeCertificateType(data);
  if (!offered.includes(type)) throw illegalParameter('a certificate type that was not offered');
  return type;
}

/** The content bytes that the peer takes in one record. RFC 8449 §4. */
export function recordSizeLimitOf(extensions: RawExtensions): number {
  const data = extensions.get(ExtensionType.record_size_limit);
  if (data === undefined) return PLAINTEXT_MAX;
  const limit = decodeRecordSizeLimit(data);
  if (limit < RECORD_SIZE_LIMIT_MIN) throw illegalParameter('a record size limit below 64');
  return Math.min(limit, PLAINTEXT_MAX);
}
