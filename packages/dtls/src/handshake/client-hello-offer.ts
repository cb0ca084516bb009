import { cipherSuiteById, CIPHER_SUITES, cipherSuiteByName, type CipherSuite } from '../cipher-suites.ts';
import type { RawExtensions } from '../codec/hello.ts';
import {
  encodeOpaque8,
  encodeRecordSizeLimit,
  encodeServerName,
  encodeU16List,
} from '../codec/extensions.ts';
import {
  CertificateType,
  ecdsa_secp256r1_sha256,
  ExtensionType,
  NAMED_GROUPS,
  type NamedGroup,
} from '../constants.ts';
import { dtlsError } from '../errors.ts';
import type { DtlsClientSettings } from '../settings.ts';
import { decodeResumptionState, type ResumptionState } from '../session/resumption-state.ts';

/**
 * What a client offers, settled before the first ClientHello. RFC 6347 §4.2.1 wants the second to be the
 * same.
 */
export interface ClientOffer {
  readonly suites: readonly CipherSuite[];
  readonly extensions: RawExtensions;
  /** In order of preference; `undefined` members of RFC 7250 are left out. */
  readonly serverCertificateTypes: readonly number[];
  readonly clientCertificateTypes: readonly number[];
  readonly resume: ResumptionState | undefined;
}

/** What the endpoint adds to a client's settings. */
export interface OfferContext {
  readonly groups: readonly NamedGroup[];
  readonly receiveCid: Uint8Array | undefined;
  readonly recordSizeLimit: number | undefined;
  readonly returnRoutability: boolean;
}

/** Works out the offer; `DTLS_SETTINGS` when the credentials allow no suite. */
export function clientOfferOf(settings: DtlsClientSettings, context: OfferContext): ClientOffer {
  const suites = suitesOf(settings);
  const serverCertificateTypes = [
    ...(settings.trust?.rawPublicKey === undefined ? [] : [CertificateType.RawPublicKey]),
    ...(settings.trust?.x509 === undefined ? [] : [CertificateType.X509]),
  ];
  const clientCertificateTypes = [
    ...(settings.signingKey?.subjectPublicKeyInfo === undefined ? [] : [CertificateType.RawPublicKey]),
    ...(settings.signingKey?.certificateChain === undefined ? [] : [CertificateType.X509]),
  ];
  const offer = { suites, serverCertificateTypes, clientCertificateTypes };
  const resume = settings.resume === undefined ? undefined : decodeResumptionState(settings.resume);
  const resumable =
    resume !== undefined && suites.includes(resume.suite) && resume.serverName === settings.serverName;
  return {
    ...offer,
    extensions: extensionsOf(settings, context, offer),
    resume: resumable ? resume : undefined,
  };
}

/** RFC 5246 §7.4.1.4: extensions in any order; a server answers only what was offered. */
function extensionsOf(
  settings: DtlsClientSettings,
  context: OfferContext,
  offer: Pick<ClientOffer, 'suites' | 'serverCertificateTypes' | 'clientCertificateTypes'>,
): RawExtensions {
  const extensions = new Map<number, Uint8Array>();
  if (settings.serverName !== undefined) {
    extensions.set(ExtensionType.server_name, encodeServerName(settings.serverName));
  }
  if (offer.suites.some((suite) => suite.keyExchange !== 'PSK')) {
    const groups = context.groups.map((group) => NAMED_GROUPS[group]);
    extensions.set(ExtensionType.supported_groups, encodeU16List(groups));
    extensions.set(ExtensionType.ec_point_formats, encodeOpaque8(UNCOMPRESSED));
  }
  if (offer.suites.some((suite) => suite.keyExchange === 'ECDHE_ECDSA')) {
    extensions.set(ExtensionType.signature_algorithms, encodeU16List([ecdsa_secp256r1_sha256]));
    // RFC 7250 §4.1: left out when X.509 is all there is.
    setTypes(extensions, ExtensionType.client_certificate_type, offer.clientCertificateTypes);
    setTypes(extensions, ExtensionType.server_certificate_type, offer.serverCertificateTypes);
  }
  extensions.set(ExtensionType.extended_master_secret, EMPTY);
  if (context.recordSizeLimit !== undefined) {
    extensions.set(ExtensionType.record_size_limit, encodeRecordSizeLimit(context.recordSizeLimit));
  }
  if (context.receiveCid !== undefined) {
    extensions.set(ExtensionType.connection_id, encodeOpaque8(context.receiveCid));
    // RFC 9853 §3: never without connection IDs.
    if (context.returnRoutability) extensions.set(ExtensionType.rrc, EMPTY);
  }
  return extensions;
}

/** The suites that a client's credentials allow, or the asked ones, which they have to allow. */
function suitesOf(settings: DtlsClientSettings): readonly CipherSuite[] {
  const allowed = (suite: CipherSuite): boolean =>
    suite.keyExchange === 'ECDHE_ECDSA' ? settings.trust !== undefined : settings.psk !== undefined;
  if (settings.cipherSuites === undefined) {
    const suites = CIPHER_SUITES.filter(allowed);
    if (suites.length > 0) return suites;
    throw dtlsError(
      'DTLS_SETTINGS',
      'a client needs a pre-shared key or something to trust certificates with',
      {
        hint: 'set psk or trust',
      },
    );
  }
  return settings.cipherSuites.map((name) => {
    const suite = cipherSuiteByName(name);
    if (suite === undefined || !allowed(suite)) {
      throw dtlsError('DTLS_SETTINGS', `${name} has no credentials in the settings`, {
        hint: 'set psk or trust',
      });
    }
    return suite;
  });
}

/** The suite that a server chose, if it was offered. */
export function offeredSuite(offer: ClientOffer, id: number): CipherSuite | undefined {
  const suite = cipherSuiteById(id);
  return suite !== undefined && offer.suites.includes(suite) ? suite : undefined;
}

function setTypes(extensions: Map<number, Uint8Array>, type: number, values: readonly number[]): void {
  if (values.includes(CertificateType.RawPublicKey))
    extensions.set(type, encodeOpaque8(Uint8Array.from(values)));
}

const EMPTY = new Uint8Array(0);
const UNCOMPRESSED = Uint8Array.of(0);
