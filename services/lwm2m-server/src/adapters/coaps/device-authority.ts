import type { PskKeyProvider } from '@sefleet/dtls';
import type { AuthorisedDevice, DeviceAuthoriser } from '@sefleet/lwm2m-coap';
import type { Peer } from '@sefleet/runtime';
import type { CredentialDirectory, KnownCredential } from '../provisioning/credential-directory.ts';
import type { DeviceCertificates } from './device-certificates.ts';

type Awaitable<T> = T | Promise<T>;

/** Knows devices by what their channel has proven: a pre-shared key, or a certificate of our authority. */
export class DeviceAuthority implements DeviceAuthoriser {
  readonly #directory: CredentialDirectory;
  readonly #certificates: DeviceCertificates;
  readonly #account: 'bootstrap' | 'management';

  /** @param account which of a device's two pre-shared keys is taken */
  constructor(
    directory: CredentialDirectory,
    certificates: DeviceCertificates,
    account: 'bootstrap' | 'management',
  ) {
    this.#directory = directory;
    this.#certificates = certificates;
    this.#account = account;
  }

  /** The key of an identity, undefined for an unknown one. */
  keyFor(identity: string): Awaitable<PskKeyProvider | undefined> {
    const found = this.#directory.find(identity);
    return found instanceof Promise
      ? found.then((known) => this.#admitted(known)?.key)
      : this.#admitted(found)?.key;
  }

  async authorise(peer: Peer, endpoint: string | undefined): Promise<AuthorisedDevice | undefined> {
    const device = await this.#deviceOf(peer);
    return device === undefined || (endpoint ?? device.endpoint) !== device.endpoint ? undefined : device;
  }

  async #deviceOf({ identity }: Peer): Promise<AuthorisedDevice | undefined> {
    switch (identity.kind) {
      case 'psk': {
        const credential = this.#admitted(await this.#directory.find(identity.identity));
        return credential === undefined
          ? undefined
          : { endpoint: credential.endpoint, kind: credential.kind };
      }
      case 'x509':
        return this.#certificates.deviceOf(identity.chain);
      default:
        return undefined;
    }
  }

  /** A device's bootstrap account does not open the management server, nor the other way round. */
  #admitted(credential: KnownCredential | undefined): KnownCredential | undefined {
    return credential?.bootstrap === (this.#account === 'bootstrap') ? credential : undefined;
  }
}
