import { CIPHER_SUITES, cipherSuiteByName, type CipherSuite } from '../cipher-suites.ts';
import type { ClientHello } from '../codec/hello.ts';
import { decodeOpaque8, decodeServerName, decodeU16List } from '../codec/extensions.ts';
import {
  AlertDescription,
  CertificateType,
  ecdsa_secp256r1_sha256,
  ExtensionType,
  NAMED_GROUPS,
  TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
  type NamedGroup,
} from '../constants.ts';
import type { SigningKeyProvider } from '../credentials/key-providers.ts';
import { HandshakeFailure, illegalParameter } from '../errors.ts';
import type { DtlsServerSettings } from '../settings.ts';
import { recordSizeLimitOf } from './server-hello-answer.ts';

/** The facts of a ClientHello's extensions that a server acts on. */
export interface ClientWishes {
  readonly serverName: string | undefined;
  /** Undefined when the client did not say; RFC 8422 §4 leaves the choice to the server then. */
  readonly groups: readonly number[] | undefined;
  readonly signsWithEcdsaSha256: boolean;
  readonly serverCertificateTypes: readonly number[];
  readonly clientCertificateTypes: readonly number[];
  readonly extendedMasterSecret: boolean;
  readonly secureRenegotiation: boolean;
  readonly cid: Uint8Array | undefined;
  readonly recordSizeLimit: number;
  readonly returnRoutability: boolean;
}

/** What the server settled on. */
export interface ServerChoice {
  readonly suite: CipherSuite;
  readonly group: NamedGroup | undefined;
  readonly signingKey: SigningKeyProvider | undefined;
  readonly serverCertificateType: number;
  readonly clientCertificateType: number;
}

export function readClientWishes(hello: ClientHello): ClientWishes {
  const { extensions } = hello;
  const list = (type: number): readonly number[] | undefined => {
    const data = extensions.get(type);
    return data === undefined ? undefined : decodeU16List(`extension ${type}`, data);
  };
  const types = (type: number): readonly number[] => {
    const data = extensions.get(type);
    return data === undefined ? [CertificateType.X509] : [...decodeOpaque8(`extension ${type}`, data)];
  };
  const pointFormats = extensions.get(ExtensionType.ec_point_formats);
  // RFC 8422 §5.1.2: the uncompressed form is never left out.
  if (pointFormats !== undefined && !decodeOpaque8('ec_point_formats', pointFormats).includes(0)) {
    throw illegalParameter('point formats without the uncompressed one');
  }
  const renegotiation = extensions.get(ExtensionType.renegotiation_info);
  // RFC 5746 §3.6.
  if (renegotiation !== undefined && decodeOpaque8('renegotiation_info', renegotiation).length > 0) {
    throw new HandshakeFailure(
      'illegalParameter',
      AlertDescription.handshake_failure,
      'no renegotiation is under way',
    );
  }
  const cid = extensions.get(ExtensionType.connection_id);
  const serverName = extensions.get(ExtensionType.server_name);
  return {
    serverName: serverName === undefined ? undefined : decodeServerName(serverName),
    groups: list(ExtensionType.supported_groups),
    signsWithEcdsaSha256: list(ExtensionType.signature_algorithms)?.includes(ecdsa_secp256r1_sha256) ?? false,
    serverCertificateTypes: types(ExtensionType.server_certificate_type),
    clientCertificateTypes: types(ExtensionType.client_certificate_type),
    extendedMasterSecret: extensions.has(ExtensionType.extended_master_secret),
    secureRenegotiation:
      renegotiation !== undefined || hello.cipherSuites.includes(TLS_EMPTY_RENEGOTIATION_INFO_SCSV),
    cid: cid === undefined ? undefined : decodeOpaque8('connection_id', cid).slice(),
    recordSizeLimit: recordSizeLimitOf(extensions),
    returnRoutability: cid !== undefined && extensions.has(ExtensionType.rrc),
  };
}

/** The first suite of the server's list that both sides have the means for, or undefined. */
export function chooseSuite(
  hello: ClientHello,
  wishes: ClientWishes,
  settings: DtlsServerSettings,
  groups: readonly NamedGroup[],
): ServerChoice | undefined {
  const group = groups.find((name) => wishes.groups?.includes(NAMED_GROUPS[name]) ?? name === 'secp256r1');
  const signingKey = settings.signingKeyFor?.(wishes.serverName);
  const serverCertificateType = wishes.serverCertificateTypes.find((type) => holdsType(signingKey, type));
  const clientCertificateType = wishes.clientCertificateTypes.find((type) => trustsType(settings, type));
  for (const suite of suitesOf(settings)) {
    if (!hello.cipherSuites.includes(suite.id)) continue;
    const withGroup = {
      suite,
      signingKey,
      group,
      clientCertificateType: clientCertificateType ?? CertificateType.X509,
    };
    if (suite.keyExchange === 'ECDHE_ECDSA') {
      if (group === undefined || serverCertificateType === undefined || !wishes.signsWithEcdsaSha256)
        continue;
      return { ...withGroup, serverCertificateType };
    }
    if (settings.pskFor === undefined) continue;
    if (suite.keyExchange === 'PSK') return { ...withGroup, group: undefined, serverCertificateType: 0 };
    if (group !== undefined) return { ...withGroup, serverCertificateType: 0 };
  }
  return undefined;
}

/** The server's suites in its order. */
export function suitesOf(settings: DtlsServerSettings): readonly CipherSuite[] {
  if (settings.cipherSuites === undefined) return CIPHER_SUITES;
  return settings.cipherSuites.flatMap((name) => cipherSuiteByName(name) ?? []);
}

function holdsType(signingKey: SigningKeyProvider | undefined, type: number): boolean {
  if (type === CertificateType.RawPublicKey) return signingKey?.subjectPublicKeyInfo !== undefined;
  return type === CertificateType.X509 && signingKey?.certificateChain !== undefined;
}

function trustsType(settings: DtlsServerSettings, type: number): boolean {
  if (type === CertificateType.RawPublicKey) return settings.trust?.rawPublicKey !== undefined;
  return type === CertificateType.X509 && settings.trust?.x509 !== undefined;
}
