import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSoftwareSigningKey, createX509Trust } from '@sefleet/dtls';
import type { PeerTrust, SigningKeyProvider } from '@sefleet/dtls';
import type { AuthorisedDevice } from '@sefleet/lwm2m-coap';
import type { Clock } from '@sefleet/runtime';
import type { TlsFiles } from '@sefleet/service';
import { serviceError } from '../../errors.ts';

/** Organisation in device certificates: this and the kind. */
const DEVICE_ORGANISATION = 'sefleet ';
/** Organisation in the certificates of our services, which are no devices. */
const SERVICE_ORGANISATION = 'sefleet service';
const KINDS: ReadonlySet<string> = new Set(['smart-meter', 'obu', 'rpm-gateway']);

/**
 * Devices that prove themselves with the certificate that our authority signed for them. What a device
 * signed itself with its key, such as the certificate of a short session, is not taken here: its common
 * name would be the device's choice.
 */
export class DeviceCertificates {
  readonly signingKey: SigningKeyProvider;
  readonly trust: PeerTrust;
  readonly #authority: X509Certificate;

  constructor(tls: TlsFiles, clock: Pick<Clock, 'wallMs'>) {
    this.#authority = new X509Certificate(tls.authority);
    const own = new X509Certificate(tls.certificate);
    this.signingKey = createSoftwareSigningKey({
      privateKey: createPrivateKey(tls.privateKey),
      certificateChain: [own.raw],
      rawPublicKey: false,
    });
    const judge = createX509Trust({ anchors: [this.#authority.raw], clock });
    this.trust = {
      x509: (chain, subject) => {
        judge(chain, subject);
        if (this.deviceOf(chain) === undefined) {
          throw serviceError('LWM2M_CERTIFICATE_REFUSED', 'not the certificate of a device of our authority');
        }
      },
    };
  }

  /**
   * The device of a verified chain (DER, its own certificate first), or undefined when it is none of ours.
   */
  deviceOf(chain: readonly Uint8Array[]): AuthorisedDevice | undefined {
    const [own] = chain;
    if (own === undefined) return undefined;
    const certificate = new X509Certificate(own);
    const signedByUs =
      certificate.checkIssued(this.#authority) && certificate.verify(this.#authority.publicKey);
    const organisation = fieldOf(certificate, 'O');
    const endpoint = fieldOf(certificate, 'CN');
    if (!signedByUs || endpoint === '' || organisation === SERVICE_ORGANISATION) return undefined;
    if (!organisation.startsWith(DEVICE_ORGANISATION)) return undefined;
    const kind = organisation.slice(DEVICE_ORGANISATION.length);
    return { endpoint, kind: KINDS.has(kind) ? kind : '' };
  }
}

function fieldOf({ subject }: X509Certificate, name: string): string {
  const prefix = `${name}=`;
  // A name with several values of one kind says nothing for certain.
  const values = subject.split('\n').filter((line) => line.startsWith(prefix));
  return values.length === 1 ? (values[0] ?? '').slice(prefix.length) : '';
}
