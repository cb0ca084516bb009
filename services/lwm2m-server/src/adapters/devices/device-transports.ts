import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import type { EventLog } from '@sefleet/observability';
import type { Peer, Runtime, StreamListener } from '@sefleet/runtime';
import type { TlsFiles } from '@sefleet/service';
import type { DeviceAuthority } from './device-authority.ts';
import type { DeviceCertificates } from './device-certificates.ts';
import { PlainListener } from './plain-listener.ts';
import { SecuredListener } from './secured-listener.ts';
import { openStreamListener } from './stream-listener.ts';

/** A port and the setting that names it. */
export interface NamedPort {
  readonly port: number;
  readonly setting: string;
}

/** On what one of our two servers is reached. */
export interface DeviceTransportsOptions {
  readonly runtime: Runtime;
  readonly log: EventLog;
  readonly tls: TlsFiles;
  readonly authority: DeviceAuthority;
  readonly certificates: DeviceCertificates;
  readonly addresses: readonly string[];
  /** coaps, and coaps+tcp when `tcp` is set. */
  readonly secured: NamedPort;
  /** coap, and coap+tcp when `tcp` is set; undefined: nobody comes without security. */
  readonly plain: NamedPort | undefined;
  readonly tcp: boolean;
  readonly bufferBytes: number;
  readonly ffiSockets: boolean;
  /** What is taken when a device offers both. */
  readonly keyExchange: 'psk' | 'ecdhe-psk';
  /** Told when a session or a connection is over. */
  readonly peerGone: (peer: Peer) => void;
  /** A server's `listen`. */
  readonly listen: (connect: (handler: RequestHandler) => CoapEndpoint) => CoapEndpoint;
}

/** A DTLS listener and the CoAP endpoint on it. */
export interface SecuredEndpoint {
  readonly listener: SecuredListener;
  readonly coap: CoapEndpoint;
}

/** Every socket of one server: coaps, coap, coaps+tcp and coap+tcp, on each address. */
export class DeviceTransports {
  readonly #options: DeviceTransportsOptions;
  readonly #secured: SecuredEndpoint[] = [];
  readonly #plain: PlainListener[] = [];
  readonly #streams: StreamListener[] = [];

  private constructor(options: DeviceTransportsOptions) {
    this.#options = options;
  }

  /** @throws SefleetError `LWM2M_SOCKET_BIND` */
  static async open(options: DeviceTransportsOptions): Promise<DeviceTransports> {
    const transports = new DeviceTransports(options);
    for (const address of options.addresses) await transports.#openAt(address);
    return transports;
  }

  /** One for each address, in order. */
  get secured(): readonly SecuredEndpoint[] {
    return this.#secured;
  }

  /** The port of coaps. */
  get port(): number {
    return this.#secured[0]?.listener.port ?? 0;
  }

  /** The port of coap; 0 when nobody comes without security. */
  get plainPort(): number {
    return this.#plain[0]?.port ?? 0;
  }

  /** Counters of DTLS and CoAP, by name. */
  counters(): ReadonlyMap<string, number> {
    const sum = new Map<string, number>();
    for (const listener of [...this.#secured.map((one) => one.listener), ...this.#plain]) {
      for (const [name, value] of listener.counters()) sum.set(name, (sum.get(name) ?? 0) + value);
    }
    return sum;
  }

  /** Closes what the server does not close itself. */
  async close(): Promise<void> {
    await Promise.all(this.#streams.map((listener) => listener.close()));
  }

  async #openAt(address: string): Promise<void> {
    const { secured, plain, tcp, listen, tls, authority, certificates } = this.#options;
    // With port 0 the first address gets a free port, and the others the same.
    const first = this.#secured.length === 0;
    const listener = await SecuredListener.bind({
      ...this.#options,
      address,
      port: first ? secured.port : this.port,
      portSetting: secured.setting,
    });
    this.#secured.push({ listener, coap: listen((handler) => listener.connect(handler)) });
    if (plain !== undefined) {
      const port = first ? plain.port : this.plainPort;
      const open = await PlainListener.bind({ ...this.#options, address, port, portSetting: plain.setting });
      listen((handler) => open.connect(handler));
      this.#plain.push(open);
    }
    if (!tcp) return;
    const secretFor = (identity: string): Promise<Uint8Array | undefined> => authority.secretFor(identity);
    const checkChain = (chain: readonly Uint8Array[]): Promise<void> => certificates.check(chain);
    await this.#openStream(address, { ...secured, port: this.port }, { tls, secretFor, checkChain });
    if (plain !== undefined) await this.#openStream(address, { ...plain, port: this.plainPort }, undefined);
  }

  async #openStream(
    address: string,
    { port, setting }: NamedPort,
    secured: Parameters<typeof openStreamListener>[0]['secured'],
  ): Promise<void> {
    const { runtime, log, peerGone, listen } = this.#options;
    const options = { runtime, log, peerGone, address, port, secured, portSetting: setting };
    this.#streams.push(await openStreamListener(options, listen));
  }
}
