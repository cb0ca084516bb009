import { createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import { createDtlsEndpoint } from '@sefleet/dtls';
import type { CipherSuiteName, DtlsEndpoint } from '@sefleet/dtls';
import type { AuthorisedDevice, DeviceAuthoriser } from '@sefleet/lwm2m-coap';
import type { EventLog } from '@sefleet/observability';
import type { Peer, Runtime } from '@sefleet/runtime';
import { UdpChannel } from '@sefleet/runtime/node';
import { serviceError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import type { CredentialDirectory, KnownCredential } from '../provisioning/credential-directory.ts';

/** Where and for whom a {@link SecuredListener} listens. */
export interface SecuredListenerOptions {
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly directory: CredentialDirectory;
  readonly address: string;
  readonly port: number;
  /** The setting that gave the port, for the error when it is taken. */
  readonly portSetting: string;
  readonly bufferBytes: number;
  /** Which of a device's two accounts is let in. */
  readonly account: 'bootstrap' | 'management';
  /** What is taken when a device offers both. */
  readonly keyExchange: 'psk' | 'ecdhe-psk';
  /** Told when a session is over. */
  readonly peerGone: (peer: Peer) => void;
}

/** RFC 9146: one byte of length, eight of connection ID, so that a device behind a NAT keeps its session. */
const CONNECTION_ID_BYTES = 8;

const PSK_SUITES: readonly CipherSuiteName[] = [
  'TLS_PSK_WITH_AES_128_CCM_8',
  'TLS_PSK_WITH_AES_128_GCM_SHA256',
  'TLS_PSK_WITH_AES_128_CCM',
];
const ECDHE_SUITES: readonly CipherSuiteName[] = ['TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256'];

/** In the server's order of preference. */
const SUITES = {
  psk: [...PSK_SUITES, ...ECDHE_SUITES],
  'ecdhe-psk': [...ECDHE_SUITES, ...PSK_SUITES],
} as const;

/** One UDP socket with DTLS on it: the way of devices to one of our two servers. */
export class SecuredListener {
  readonly dtls: DtlsEndpoint;
  readonly authoriser: DeviceAuthoriser;
  readonly port: number;
  readonly #options: SecuredListenerOptions;
  #coap: CoapEndpoint | undefined;

  private constructor(channel: UdpChannel, options: SecuredListenerOptions) {
    this.#options = options;
    this.port = channel.localAddress().port;
    this.authoriser = { authorise: (peer, endpoint) => this.#authorise(peer, endpoint) };
    const { runtime, log } = options;
    this.dtls = createDtlsEndpoint({
      channel,
      runtime,
      connectionIdLength: CONNECTION_ID_BYTES,
      server: {
        cipherSuites: SUITES[options.keyExchange],
        pskFor: (identity) => this.#keyOf(identity),
      },
      events: {
        sessionEstablished: (_peer, { cipherSuite }) => {
          log.count('dtls.handshakes');
          log.count(`dtls.suite.${cipherSuite}`);
        },
        handshakeFailed: ({ reason, address, identity }) => {
          log.count(`dtls.failed.${reason}`);
          log.emit(EVENTS.handshakeFailed, { reason, address, identity, account: options.account });
        },
        sessionClosed: (peer) => options.peerGone(peer),
      },
    });
  }

  /** @throws SefleetError `LWM2M_SOCKET_BIND` */
  static async bind(options: SecuredListenerOptions): Promise<SecuredListener> {
    const { address, port, bufferBytes, portSetting } = options;
    try {
      const buffers = { receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes };
      return new SecuredListener(await UdpChannel.bind({ address, port, ...buffers }), options);
    } catch (cause) {
      throw serviceError('LWM2M_SOCKET_BIND', `UDP ${address}:${port} cannot be taken`, {
        cause,
        hint: `Set ${portSetting} to another port, or end what holds it.`,
      });
    }
  }

  /** Puts CoAP on the secured channel; for a server's `listen`. */
  connect(handler: RequestHandler): CoapEndpoint {
    const { runtime, log } = this.#options;
    this.#coap = createCoapEndpoint({
      runtime,
      channel: this.dtls,
      handler,
      onHandlerError: (error, { method, path }) => log.emit(EVENTS.handlerFailed, { method, path, error }),
    });
    return this.#coap;
  }

  /** Counters of DTLS and CoAP, by name. */
  counters(): ReadonlyMap<string, number> {
    const counters = new Map<string, number>();
    for (const [name, value] of Object.entries(this.dtls.counters())) counters.set(`dtls.${name}`, value);
    for (const [name, value] of Object.entries(this.#coap?.counters() ?? {}))
      counters.set(`coap.${name}`, value);
    return counters;
  }

  #keyOf(identity: string): KnownCredential['key'] | undefined | Promise<KnownCredential['key'] | undefined> {
    const found = this.#options.directory.find(identity);
    return found instanceof Promise
      ? found.then((known) => this.#admitted(known)?.key)
      : this.#admitted(found)?.key;
  }

  async #authorise(peer: Peer, endpoint: string | undefined): Promise<AuthorisedDevice | undefined> {
    if (peer.identity.kind !== 'psk') return undefined;
    const credential = this.#admitted(await this.#options.directory.find(peer.identity.identity));
    if (credential === undefined || (endpoint ?? credential.endpoint) !== credential.endpoint)
      return undefined;
    return { endpoint: credential.endpoint, kind: credential.kind };
  }

  /** A device's bootstrap account does not open the management server, nor the other way round. */
  #admitted(credential: KnownCredential | undefined): KnownCredential | undefined {
    return credential?.bootstrap === (this.#options.account === 'bootstrap') ? credential : undefined;
  }
}
