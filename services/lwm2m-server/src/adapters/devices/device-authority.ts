import type { PskKeyProvider } from '@sefleet/dtls';
import type { AuthorisedDevice, DeviceAuthoriser } from '@sefleet/lwm2m-coap';
import type { Peer } from '@sefleet/runtime';
import type { PlainDevices } from '../../domain/plain-devices.ts';
import type { CredentialDirectory, KnownCredential } from '../provisioning/credential-directory.ts';
import type { DeviceCertificates } from './device-certificates.ts';

type Awaitable<T> = T | Promise<T>;

/** What {@link DeviceAuthority} works with. */
export interface DeviceAuthorityParts {
  readonly directory: CredentialDirectory;
  readonly certificates: DeviceCertificates;
  readonly plain: PlainDevices;
  /** Which of a device's two pre-shared keys is taken. */
  readonly account: 'bootstrap' | 'management';
  /** The credential that an endpoint name is registered with now, if it is. */
  readonly registeredCredential: (endpoint: string) => string | undefined;
}

/**
 * Knows devices by what their channel has proven: a pre-shared key, a certificate, a raw public key; or by
 * name alone, where the settings let a name come without a credential.
 */
export class DeviceAuthority implements DeviceAuthoriser {
  readonly #parts: DeviceAuthorityParts;

  constructor(parts: DeviceAuthorityParts) {
    this.#parts = parts;
  }

  /** The key of an identity, undefined for an unknown one. */
  keyFor(identity: string): Awaitable<PskKeyProvider | undefined> {
    const found = this.#parts.directory.find(identity);
    return found instanceof Promise
      ? found.then((known) => this.#admitted(known)?.key)
      : this.#admitted(found)?.key;
  }

  /** As {@link DeviceAuthority.keyFor}, for TLS. */
  async secretFor(identity: string): Promise<Uint8Array | undefined> {
    return this.#admitted(await this.#parts.directory.find(identity))?.secret;
  }

  async authorise(peer: Peer, endpoint: string | undefined): Promise<AuthorisedDevice | undefined> {
    if (peer.identity.kind === 'none') return this.#byName(endpoint);
    const device = await this.#deviceOf(peer);
    return device === undefined || (endpoint ?? device.endpoint) !== device.endpoint ? undefined : device;
  }

  async #deviceOf({ identity }: Peer): Promise<AuthorisedDevice | undefined> {
    const { directory, certificates } = this.#parts;
    switch (identity.kind) {
      case 'psk': {
        const credential = this.#admitted(await directory.find(identity.identity));
        return credential === undefined
          ? undefined
          : { endpoint: credential.endpoint, kind: credential.kind };
      }
      case 'x509':
        return certificates.deviceOf(identity.chain);
      case 'rpk':
        return certificates.holderOf(identity.subjectPublicKeyInfo);
      default:
        return undefined;
    }
  }

  /** Nobody takes the place of a device that has proven itself by knowing its name. */
  #byName(endpoint: string | undefined): AuthorisedDevice | undefined {
    const { plain, registeredCredential } = this.#parts;
    if (endpoint === undefined || (registeredCredential(endpoint) ?? 'none') !== 'none') return undefined;
    const known = plain.find(endpoint);
    return known === undefined ? undefined : { ...known, isUnproven: true };
  }

  /** A device's bootstrap account does not open the management server, nor the other way round. */
  #admitted(credential: KnownCredential | undefined): KnownCredential | undefined {
    return credential?.bootstrap === (this.#parts.account === 'bootstrap') ? credential : undefined;
  }
}
