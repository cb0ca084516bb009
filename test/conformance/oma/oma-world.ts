import { createCoapEndpoint } from '@sefleet/coap';
import type { ClientObservation, CoapEndpoint, CoapRequestInit, CoapResponse } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import type { DtlsClientSettings, DtlsServerSettings } from '@sefleet/dtls';
import {
  defineObject,
  enablerObjects,
  encodeContent,
  FIRMWARE_RESULT,
  firmwareDefaults,
  firmwareUpdateObject,
  Lwm2mPath,
  ObjectTree,
  omaModels,
  SECURITY_MODE,
  SECURITY_RESOURCE,
} from '@sefleet/lwm2m';
import type { ContentFormat, FirmwareHooks, FirmwareVerdict, Lwm2mEntry, Lwm2mValue } from '@sefleet/lwm2m';
import {
  createBootstrapServer,
  createCoapDownload,
  createLwm2mClient,
  createLwm2mServer,
  DEFAULT_CLIENT_SETTINGS,
} from '@sefleet/lwm2m-coap';
import type {
  BootstrapConfiguration,
  BootstrapServer,
  ConnectRequest,
  Lwm2mClient,
  Lwm2mClientSettings,
  Lwm2mConnection,
  Lwm2mServer,
  RegisteredDevice,
} from '@sefleet/lwm2m-coap';
import type { AddressableChannel, DatagramChannel, Peer } from '@sefleet/runtime';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { gated } from './modem.ts';

export const models = omaModels();
export const ENDPOINT = 'oma-device-1';
export const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
export const entry = (text: string, value: Lwm2mValue): Lwm2mEntry => ({ path: path(text), value });

/** What the servers of the tests are reached at. */
const SERVERS = { bootstrap: '10.0.0.1', first: '10.0.1.1', second: '10.0.2.1' } as const;
type ServerName = keyof typeof SERVERS;
export const uriOf = (name: ServerName, secured = false): string =>
  secured ? `coaps://${SERVERS[name]}:5684` : `coap://${SERVERS[name]}:5683`;

/** One management server of the tests and what it was told. */
export class OmaServer {
  readonly address: string;
  readonly log: string[] = [];
  readonly notifications: { readonly paths: readonly string[]; readonly entries: readonly Lwm2mEntry[] }[] =
    [];
  readonly sends: (readonly Lwm2mEntry[])[] = [];
  readonly server: Lwm2mServer;
  readonly #endpoints: CoapEndpoint[] = [];
  /** The device as it was last seen, for requests that the server's own interface would not make. */
  peer: Peer | undefined;
  readonly #world: OmaWorld;

  constructor(world: OmaWorld, name: ServerName, dtls: DtlsServerSettings | undefined) {
    this.#world = world;
    this.address = SERVERS[name];
    const note =
      (event: string) =>
      (registration: { readonly endpoint: string; readonly lifetimeSeconds: number }): void =>
        void this.log.push(`${event} ${registration.endpoint} ${registration.lifetimeSeconds}`);
    this.server = createLwm2mServer({
      runtime: world.runtime,
      models,
      authoriser: {
        authorise: (peer, endpoint) => {
          this.peer = peer;
          const known = peer.identity.kind === 'psk' ? peer.identity.identity : endpoint;
          return known === undefined ? undefined : { endpoint: known };
        },
      },
      consumer: {
        send: (_registration, entries) => {
          this.sends.push(entries);
          return { kind: 'accepted' };
        },
        notification: (_registration, paths, entries) => void this.notifications.push({ paths, entries }),
      },
      events: {
        registered: note('registered'),
        updated: note('updated'),
        deregistered: note('deregistered'),
        expired: note('expired'),
        sleeping: note('sleeping'),
        awake: note('awake'),
      },
    });
    for (const channel of world.channels(this.address, dtls)) {
      this.#endpoints.push(
        this.server.listen((handler) => createCoapEndpoint({ runtime: world.runtime, channel, handler })),
      );
    }
  }

  get device(): RegisteredDevice {
    return this.server.device(ENDPOINT);
  }

  /** A request as the test writes it, on the plain endpoint. */
  raw(init: CoapRequestInit): Promise<CoapResponse> {
    const [coap] = this.#endpoints;
    if (coap === undefined || this.peer === undefined) throw new TypeError('the device has not been seen');
    return this.#world.run(coap.request(this.peer, init));
  }

  /** An observation that only the endpoint knows of, so that the test can drop it without a word. */
  rawObserve(init: CoapRequestInit): Promise<ClientObservation> {
    const [coap] = this.#endpoints;
    if (coap === undefined || this.peer === undefined) throw new TypeError('the device has not been seen');
    return this.#world.run(coap.observe(this.peer, init, () => {}));
  }

  /** Values at their paths, as a body in `format`. */
  body(
    format: ContentFormat,
    base: string,
    entries: readonly Lwm2mEntry[],
  ): Pick<CoapRequestInit, 'payload' | 'contentFormat'> {
    return { contentFormat: format, payload: encodeContent(format, path(base), entries, models) };
  }
}

/** What the device's secure element takes as firmware is told by its first letter: G is good. */
const VERDICTS: ReadonlyMap<number | undefined, FirmwareVerdict> = new Map<
  number | undefined,
  FirmwareVerdict
>([
  [0x47, { accepted: true, name: 'oma', version: '2.0' }],
  [0x4d, { accepted: false, result: FIRMWARE_RESULT.OUT_OF_RAM }],
  [0x58, { accepted: false, result: FIRMWARE_RESULT.INTEGRITY_CHECK_FAILED }],
]);
const UNSUPPORTED = { accepted: false, result: FIRMWARE_RESULT.UNSUPPORTED_PACKAGE } as const;
const FIRMWARE: FirmwareHooks<OmaWorld> = {
  protocols: [0],
  packageBytesMax: 200_000,
  download: (world, uri, signal) => world.download(uri, signal),
  verify: (_world, image) => VERDICTS.get(image[0]) ?? UNSUPPORTED,
  apply: (world) => Promise.resolve(world.firmwareWorks),
};

export interface OmaWorldOptions {
  readonly settings?: Partial<Lwm2mClientSettings>;
  /** How servers answer DTLS handshakes. */
  readonly dtls?: DtlsServerSettings;
  /** How the device makes them; default: the account's PSK. */
  readonly dtlsClient?: (request: ConnectRequest) => DtlsClientSettings;
}

/**
 * A device, two management servers and a bootstrap server of ours, on one virtual clock and a simulated
 * network.
 */
export class OmaWorld {
  readonly runtime = new SimRuntime(11);
  readonly network = new SimNetwork(this.runtime);
  readonly first: OmaServer;
  readonly second: OmaServer;
  readonly bootstrap: BootstrapServer;
  readonly bootstrapLog: string[] = [];
  readonly tree: ObjectTree<OmaWorld>;
  readonly client: Lwm2mClient;
  readonly clientLog: string[] = [];
  configuration: BootstrapConfiguration | undefined;
  reboots = 0;
  firmwareWorks = true;
  download: (uri: string, signal: AbortSignal) => Promise<Uint8Array>;
  readonly #options: OmaWorldOptions;

  constructor(options: OmaWorldOptions = {}) {
    this.#options = options;
    this.download = createCoapDownload(({ host, port }) => {
      const channel = this.network.bind('10.9.9.8');
      const endpoint = createCoapEndpoint({ channel, runtime: this.runtime });
      return Promise.resolve({ endpoint, peer: channel.peerAt(host, port), close: () => endpoint.close() });
    });
    this.first = new OmaServer(this, 'first', options.dtls);
    this.second = new OmaServer(this, 'second', options.dtls);
    this.bootstrap = this.#createBootstrapServer();
    this.tree = this.#createTree();
    this.client = createLwm2mClient({
      endpointName: ENDPOINT,
      tree: this.tree,
      runtime: this.runtime,
      transport: { connect: (request) => this.#connect(request) },
      settings: { ...DEFAULT_CLIENT_SETTINGS, reconnectSpreadMs: 100, ...options.settings },
      events: {
        sleeping: () => void this.clientLog.push('sleeping'),
        awake: () => void this.clientLog.push('awake'),
        bootstrapFailed: () => void this.clientLog.push('bootstrapFailed'),
      },
    });
  }

  /** A plain channel, and a secured one when the test has keys. */
  channels(address: string, dtls: DtlsServerSettings | undefined): DatagramChannel[] {
    const plain = this.network.bind(address, 5683);
    if (dtls === undefined) return [plain];
    const channel = this.network.bind(address, 5684);
    return [plain, createDtlsEndpoint({ channel, runtime: this.runtime, server: dtls })];
  }

  async run<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const watched = promise.finally(() => (done = true));
    watched.catch(() => undefined);
    await this.runtime.runUntil(() => done, 100_000_000);
    return watched;
  }

  /** An account without security, made in the factory. */
  addAccount(
    shortServerId: number,
    name: ServerName,
    more: readonly (readonly [number, Lwm2mValue])[] = [],
  ): void {
    const id = this.tree.require(1).freeInstanceId();
    this.tree.require(0).add(id + 1, securityValues(uriOf(name), false, shortServerId));
    this.tree.require(1).add(id, [[0, shortServerId], [1, 300], [6, true], [7, 'U'], ...more]);
  }

  addBootstrapAccount(secured = false): void {
    this.tree.require(0).add(0, securityValues(uriOf('bootstrap', secured), true));
  }

  /** Registered with the first server, by an account made in the factory. */
  static async registered(options: OmaWorldOptions = {}): Promise<OmaWorld> {
    const world = new OmaWorld(options);
    world.addAccount(101, 'first');
    await world.run(world.client.start());
    return world;
  }

  #createTree(): ObjectTree<OmaWorld> {
    const tree = new ObjectTree<OmaWorld>(
      [
        ...enablerObjects<OmaWorld>(models, { reboot: (world) => world.reboots++ }),
        defineObject(models, 4),
        firmwareUpdateObject(models, FIRMWARE),
        defineObject(models, 6),
        defineObject(models, 19, { creatable: true }),
        defineObject(models, 3303, { creatable: true, supports: [5605], behaviour: { execute: () => {} } }),
      ],
      this,
      models,
    );
    tree.require(3).add(0, DEVICE);
    tree.require(5).add(0, firmwareDefaults(FIRMWARE));
    tree.require(3303).add(0, [
      [5700, 20.5],
      [5701, 'Cel'],
    ]);
    return tree;
  }

  #createBootstrapServer(): BootstrapServer {
    const server = createBootstrapServer({
      runtime: this.runtime,
      models,
      authoriser: {
        authorise: (_peer, endpoint) => (endpoint === undefined ? undefined : { endpoint }),
      },
      configurationFor: () => this.configuration,
      events: {
        requested: () => void this.bootstrapLog.push('requested'),
        finished: () => void this.bootstrapLog.push('finished'),
        failed: () => void this.bootstrapLog.push('failed'),
      },
    });
    for (const channel of this.channels(SERVERS.bootstrap, this.#options.dtls)) {
      server.listen((handler) => createCoapEndpoint({ runtime: this.runtime, channel, handler }));
    }
    return server;
  }

  async #connect(request: ConnectRequest): Promise<Lwm2mConnection> {
    const { account, handler } = request;
    const url = new URL(account.uri);
    const channel = this.network.bind('10.9.9.9');
    if (account.mode === SECURITY_MODE.NOSEC)
      return this.#open(channel, channel.peerAt(url.hostname, 5683), handler);
    return this.#secure(request, channel, url);
  }

  async #secure(request: ConnectRequest, channel: AddressableChannel, url: URL): Promise<Lwm2mConnection> {
    const dtls = createDtlsEndpoint({ channel, runtime: this.runtime });
    const settings = this.#options.dtlsClient?.(request) ?? pskOf(request);
    const opened = this.#open(dtls, undefined, request.handler);
    const peer = await dtls.connect(url.hostname, Number(url.port), settings);
    return { ...opened, peer };
  }

  #open(
    channel: DatagramChannel,
    peer: Peer | undefined,
    handler: ConnectRequest['handler'],
  ): Lwm2mConnection {
    let listening = true;
    const gate = gated(channel, () => listening);
    const endpoint = createCoapEndpoint({ channel: gate, runtime: this.runtime, handler });
    return {
      endpoint,
      peer: peer ?? NOBODY,
      setListening: (value) => (listening = value),
      close: () => endpoint.close(),
    };
  }
}

const NOBODY: Peer = { key: '', address: '', port: 0, identity: { kind: 'none' } };

/** Core 1.1 appendix E.4: the Device object of the test suite. */
const DEVICE: readonly (readonly [number, Lwm2mValue | ReadonlyMap<number, Lwm2mValue>])[] = [
  [0, 'Open Mobile Alliance'],
  [1, 'Lightweight M2M Client'],
  [2, '345000123'],
  [3, '1.0'],
  [
    6,
    new Map([
      [0, 1],
      [1, 5],
    ]),
  ],
  [
    7,
    new Map([
      [0, 3800],
      [1, 5000],
    ]),
  ],
  [
    8,
    new Map([
      [0, 125],
      [1, 900],
    ]),
  ],
  [9, 100],
  [10, 15],
  [11, new Map([[0, 0]])],
  [13, 1_367_491_215],
  [14, '+02:00'],
  [15, 'Europe/Paris'],
  [16, 'U'],
];

function securityValues(
  uri: string,
  bootstrap: boolean,
  shortServerId?: number,
): readonly (readonly [number, Lwm2mValue])[] {
  const secured = uri.startsWith('coaps');
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return [
    [SECURITY_RESOURCE.SERVER_URI, uri],
    [SECURITY_RESOURCE.BOOTSTRAP_SERVER, bootstrap],
    [SECURITY_RESOURCE.SECURITY_MODE, secured ? SECURITY_MODE.PSK : SECURITY_MODE.NOSEC],
    [SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY, text(secured ? ENDPOINT : '')],
    [SECURITY_RESOURCE.SERVER_PUBLIC_KEY, new Uint8Array()],
    [SECURITY_RESOURCE.SECRET_KEY, text(secured ? 'a key of the test' : '')],
    ...(shortServerId === undefined ? [] : [[SECURITY_RESOURCE.SHORT_SERVER_ID, shortServerId] as const]),
  ];
}

function pskOf({ account, tree }: ConnectRequest): DtlsClientSettings {
  const key = tree.instance(0, account.instanceId)?.get(SECURITY_RESOURCE.SECRET_KEY);
  const identity = Buffer.from(account.publicKeyOrIdentity).toString();
  return { psk: createSoftwarePsk(identity, key instanceof Uint8Array ? key : new Uint8Array()) };
}

/** Bootstrap-Writes of one account with the first server. */
export function accountOf(
  uri: string,
  shortServerId = 101,
  lifetimeSeconds = 300,
): BootstrapConfiguration['writes'] {
  const security = securityValues(uri, false, shortServerId);
  const server: readonly (readonly [number, Lwm2mValue])[] = [
    [0, shortServerId],
    [1, lifetimeSeconds],
    [6, true],
    [7, 'U'],
  ];
  return [
    { path: path('/0/1'), entries: security.map(([id, value]) => entry(`/0/1/${id}`, value)) },
    { path: path('/1/0'), entries: server.map(([id, value]) => entry(`/1/0/${id}`, value)) },
  ];
}
