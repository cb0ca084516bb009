import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { createSoftwareSigningKey, createX509Trust } from '@sefleet/dtls';
import type { PeerTrust, SigningKeyProvider, TrustSubject } from '@sefleet/dtls';
import type { AuthorisedDevice } from '@sefleet/lwm2m-coap';
import type { Clock } from '@sefleet/runtime';
import type { TlsFiles } from '@sefleet/service';
import { serviceError } from '../../errors.ts';
import type { CredentialDirectory } from '../provisioning/credential-directory.ts';

type Judge = ReturnType<typeof createX509Trust>;

/** Organisation in device certificates: this and the kind. */
const DEVICE_ORGANISATION = 'sefleet ';
/** Organisation in the certificates of our services, which are no devices. */
const SERVICE_ORGANISATION = 'sefleet service';
const KINDS: ReadonlySet<string> = new Set(['smart-meter', 'obu', 'rpm-gateway']);
const AS_CLIENT: TrustSubject = { role: 'client' };

/**
 * Devices that prove themselves with a certificate or a raw public key: the certificate that our authority
 * signed for them, one that the device issued with that for a short session, or what their owner handed in,
 * bound to one endpoint name.
 */
export class DeviceCertificates {
  readonly signingKey: SigningKeyProvider;
  readonly trust: PeerTrust;
  readonly #authority: X509Certificate;
  readonly #judgeOurs: Judge;
  readonly #directory: Pick<CredentialDirectory, 'findOwn'>;
  readonly #clock: Pick<Clock, 'wallMs'>;

  readonly #isRevoked: (serialNumber: string) => boolean;

  /** @param isRevoked Asked of every certificate of our authority, by its serial number in hexadecimal. */
  constructor(
    tls: TlsFiles,
    directory: Pick<CredentialDirectory, 'findOwn'>,
    clock: Pick<Clock, 'wallMs'>,
    isRevoked: (serialNumber: string) => boolean,
  ) {
    this.#isRevoked = isRevoked;
    this.#authority = new X509Certificate(tls.authority);
    this.#directory = directory;
    this.#clock = clock;
    const own = new X509Certificate(tls.certificate);
    this.signingKey = createSoftwareSigningKey({
      privateKey: createPrivateKey(tls.privateKey),
      certificateChain: [own.raw],
    });
    this.#judgeOurs = createX509Trust({ anchors: [this.#authority.raw], clock });
    this.trust = {
      x509: (chain) => this.check(chain),
      rawPublicKey: async (key) => (await this.holderOf(key)) !== undefined,
    };
  }

  /**
   * Lets the chain of a device through (DER, its own certificate first).
   *
   * Rejects with the refusal of `createX509Trust`, or `LWM2M_CERTIFICATE_REFUSED`.
   */
  async check(chain: readonly Uint8Array[]): Promise<void> {
    if (this.#ofOurs(chain) === undefined && (await this.#ofOwner(chain)) !== undefined) return;
    this.#judgeOurs(chain, AS_CLIENT);
    if (this.#ofOurs(chain) === undefined) {
      throw serviceError('LWM2M_CERTIFICATE_REFUSED', 'not the certificate of a device that is known here');
    }
  }

  /** The device of a chain that was let through, or undefined when it is none. */
  async deviceOf(chain: readonly Uint8Array[]): Promise<AuthorisedDevice | undefined> {
    return this.#ofOurs(chain) ?? this.#ofOwner(chain);
  }

  /** The device of a raw public key (DER SubjectPublicKeyInfo, RFC 7250), or undefined. */
  async holderOf(subjectPublicKeyInfo: Uint8Array): Promise<AuthorisedDevice | undefined> {
    const known = await this.#directory.findOwn(`public-key:${digestOf(subjectPublicKeyInfo)}`);
    return known === undefined ? undefined : { endpoint: known.endpoint, kind: known.kind };
  }

  /**
   * The device that our own authority named, by the first certificate of the chain or by the one above it,
   * whose key the device's card issues the certificates of short sessions with.
   */
  #ofOurs(chain: readonly Uint8Array[]): AuthorisedDevice | undefined {
    const [first, issuer] = [certificateOf(chain[0]), certificateOf(chain[1])];
    if (first === undefined) return undefined;
    if (this.#isSignedByUs(first)) return namedIn(first);
    const isSession = issuer !== undefined && issuer.ca && isSignedBy(first, issuer);
    const device = isSession && this.#isSignedByUs(issuer) ? namedIn(issuer) : undefined;
    // The device wrote the session's certificate: with another's name in it, it is nobody's.
    return device?.endpoint === fieldOf(first, 'CN') ? device : undefined;
  }

  #isSignedByUs(certificate: X509Certificate): boolean {
    return !this.#isRevoked(certificate.serialNumber) && isSignedBy(certificate, this.#authority);
  }

  /** The device whose owner handed in this certificate, or the authority that signed it for this name. */
  async #ofOwner(chain: readonly Uint8Array[]): Promise<AuthorisedDevice | undefined> {
    const certificate = certificateOf(chain[0]);
    if (certificate === undefined) return undefined;
    const exact = await this.#directory.findOwn(`certificate:${digestOf(certificate.raw)}`);
    if (exact !== undefined && this.#leadsTo(certificate.raw, [certificate.raw])) {
      return { endpoint: exact.endpoint, kind: exact.kind };
    }
    const name = fieldOf(certificate, 'CN');
    const named = name === '' ? undefined : await this.#directory.findOwn(`authority:${name}`);
    if (named === undefined || named.endpoint !== name) return undefined;
    if (!this.#leadsTo(named.authority, chain)) return undefined;
    return { endpoint: named.endpoint, kind: named.kind };
  }

  #leadsTo(anchor: Uint8Array, chain: readonly Uint8Array[]): boolean {
    try {
      createX509Trust({ anchors: [anchor], clock: this.#clock })(chain, AS_CLIENT);
      return true;
    } catch {
      // Whoever asks refuses with the reason that our own authority gives: there is none of the owner's here.
      return false;
    }
  }
}

function certificateOf(der: Uint8Array | undefined): X509Certificate | undefined {
  try {
    return der === undefined ? undefined : new X509Certificate(der);
  } catch {
    // What is no certificate is nobody's.
    return undefined;
  }
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The device that a certificate of ours names; undefined for one of our services. */
function namedIn(certificate: X509Certificate): AuthorisedDevice | undefined {
  const organisation = fieldOf(certificate, 'O');
  const endpoint = fieldOf(certificate, 'CN');
  if (endpoint === '' || organisation === SERVICE_ORGANISATION) return undefined;
  if (!organisation.startsWith(DEVICE_ORGANISATION)) return undefined;
  const kind = organisation.slice(DEVICE_ORGANISATION.length);
  return { endpoint, kind: KINDS.has(kind) ? kind : '' };
}

function digestOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function fieldOf({ subject }: X509Certificate, name: string): string {
  const prefix = `${name}=`;
  // A name with several values of one kind says nothing for certain.
  const values = subject.split('\n').filter((line) => line.startsWith(prefix));
  return values.length === 1 ? (values[0] ?? '').slice(prefix.length) : '';
}
