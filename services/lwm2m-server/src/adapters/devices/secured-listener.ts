import { createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import { createDtlsEndpoint } from '@sefleet/dtls';
import type { CipherSuiteName, DtlsEndpoint, DtlsEvents } from '@sefleet/dtls';
import type { EventLog } from '@sefleet/observability';
import type { AddressableChannel, Peer, Runtime } from '@sefleet/runtime';
import { EVENTS } from '../../events.ts';
import type { DeviceAuthority } from './device-authority.ts';
import type { DeviceCertificates } from './device-certificates.ts';
import { bindUdp } from './plain-listener.ts';

/** Where and for whom a {@link SecuredListener} listens. */
export interface SecuredListenerOptions {
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly authority: DeviceAuthority;
  readonly certificates: DeviceCertificates;
  readonly address: string;
  readonly port: number;
  /** The setting that gave the port, for the error when it is taken. */
  readonly portSetting: string;
  readonly bufferBytes: number;
  readonly ffiSockets: boolean;
  /** What is taken when a device offers both. */
  readonly keyExchange: 'psk' | 'ecdhe-psk';
  /** Told when a session is over. */
  readonly peerGone: (peer: Peer) => void;
}

/** RFC 9146: with eight bytes of connection ID a device behind a NAT that forgets keeps its session. */
const CONNECTION_ID_BYTES = 8;

const PSK_SUITES: readonly CipherSuiteName[] = [
  'TLS_PSK_WITH_AES_128_CCM_8',
  'TLS_PSK_WITH_AES_128_GCM_SHA256',
  'TLS_PSK_WITH_AES_128_CCM',
];
const ECDHE_PSK_SUITES: readonly CipherSuiteName[] = ['TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256'];
const CERTIFICATE_SUITES: readonly CipherSuiteName[] = [
  'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_CCM',
];

/** In the server's order of preference. */
const SUITES = {
  psk: [...PSK_SUITES, ...ECDHE_PSK_SUITES, ...CERTIFICATE_SUITES],
  'ecdhe-psk': [...ECDHE_PSK_SUITES, ...PSK_SUITES, ...CERTIFICATE_SUITES],
} as const;

/** One UDP socket with DTLS on it: the way of devices to one of our two servers. */
export class SecuredListener {
  readonly dtls: DtlsEndpoint;
  readonly port: number;
  readonly #options: SecuredListenerOptions;
  #coap: CoapEndpoint | undefined;

  private constructor(channel: AddressableChannel, options: SecuredListenerOptions) {
    this.#options = options;
    this.port = channel.localAddress().port;
    const { authority, certificates } = options;
    this.dtls = createDtlsEndpoint({
      channel,
      runtime: options.runtime,
      connectionIdLength: CONNECTION_ID_BYTES,
      server: {
        cipherSuites: SUITES[options.keyExchange],
        pskFor: (identity) => authority.keyFor(identity),
        signingKeyFor: () => certificates.signingKey,
        clientAuthentication: 'required',
        trust: certificates.trust,
      },
      events: eventsOf(options),
    });
  }

  /** @throws SefleetError `LWM2M_SOCKET_BIND` */
  static async bind(options: SecuredListenerOptions): Promise<SecuredListener> {
    return new SecuredListener(await bindUdp(options), options);
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
    const coap = this.#coap?.counters() ?? {};
    for (const [name, value] of Object.entries(coap)) counters.set(`coap.${name}`, value);
    return counters;
  }
}

function eventsOf({ log, peerGone }: SecuredListenerOptions): DtlsEvents {
  return {
    sessionEstablished: (_peer, { cipherSuite }) => {
      log.count('dtls.handshakes');
      log.count(`dtls.suite.${cipherSuite}`);
    },
    handshakeFailed: ({ reason, address, identity }) => {
      log.count(`dtls.failed.${reason}`);
      log.emit(EVENTS.handshakeFailed, { reason, address, identity });
    },
    sessionClosed: (peer) => peerGone(peer),
  };
}
