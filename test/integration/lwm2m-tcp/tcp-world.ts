import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCoapStreamEndpoint, parseCoapUri, type CoapEndpoint } from '@sefleet/coap';
import {
  defineObject,
  enablerObjects,
  ObjectTree,
  omaModels,
  SECURITY_MODE,
  type Lwm2mEntry,
} from '@sefleet/lwm2m';
import {
  createLwm2mClient,
  createLwm2mServer,
  DEFAULT_CLIENT_SETTINGS,
  type DeviceAuthoriser,
  type Lwm2mClient,
  type Lwm2mServer,
  type Lwm2mTransport,
} from '@sefleet/lwm2m-coap';
import type { Runtime, StreamConnection, StreamListener } from '@sefleet/runtime';
import { connectStream, createNodeRuntime, listenStream, type StreamTls } from '@sefleet/runtime/node';

export const ENDPOINT = 'urn:dev:sefleet:tcp-000001';
const ADDRESS = '127.0.0.1';
const WAIT_MS = 10_000;

/** Materials of both ends; without them the connections are plain TCP. */
export interface TcpSecurity {
  readonly server: StreamTls;
  readonly device: StreamTls;
}

/** One device and one server that speak CoAP on connections, through sockets of this machine. */
export class TcpWorld {
  readonly scheme: 'coap+tcp' | 'coaps+tcp';
  readonly runtime: Runtime & { close(): void };
  readonly server: Lwm2mServer;
  readonly tree: ObjectTree;
  readonly client: Lwm2mClient;
  readonly notified: Lwm2mEntry[] = [];
  readonly sent: Lwm2mEntry[] = [];
  /** The server's ends of the connections, the newest last. */
  readonly accepted: StreamConnection[] = [];
  reboots = 0;
  lost = 0;
  /** Attempts to register that failed. */
  refused = 0;
  /** Registrations and updates that the server took. */
  confirmed = 0;
  readonly #security: TcpSecurity | undefined;
  #listener: StreamListener | undefined;

  private constructor(security: TcpSecurity | undefined) {
    this.scheme = security === undefined ? 'coap+tcp' : 'coaps+tcp';
    this.#security = security;
    this.runtime = createNodeRuntime();
    this.server = this.#createServer();
    this.tree = this.#createTree();
    this.client = createLwm2mClient({
      endpointName: ENDPOINT,
      tree: this.tree,
      runtime: this.runtime,
      transport: this.#transport(),
      settings: { ...DEFAULT_CLIENT_SETTINGS, reconnectSpreadMs: 50 },
      events: {
        connectionLost: () => void this.lost++,
        registrationFailed: () => void this.refused++,
        registered: () => void this.confirmed++,
        updated: () => void this.confirmed++,
      },
    });
  }

  static async open(security?: TcpSecurity): Promise<TcpWorld> {
    const world = new TcpWorld(security);
    const { runtime, server } = world;
    const held: { coap?: ReturnType<typeof createCoapStreamEndpoint> } = {};
    server.listen((handler): CoapEndpoint => {
      held.coap = createCoapStreamEndpoint({ runtime, handler });
      return held.coap;
    });
    const at = {
      address: ADDRESS,
      port: 0,
      ...(security === undefined ? {} : { tls: security.server }),
    };
    world.#listener = await listenStream(at, (connection) => {
      world.accepted.push(connection);
      held.coap?.attach(connection);
    });
    world.#addAccount(world.#listener.localAddress().port);
    return world;
  }

  async close(): Promise<void> {
    await this.client.powerOff();
    await this.server.close();
    await this.#listener?.close();
    this.runtime.close();
  }

  #createServer(): Lwm2mServer {
    const authoriser: DeviceAuthoriser = {
      authorise: ({ identity }, endpoint) => {
        if (endpoint === undefined) return undefined;
        if (this.#security === undefined) return { endpoint };
        return identity.kind === 'x509' && identity.commonName === endpoint ? { endpoint } : undefined;
      },
    };
    return createLwm2mServer({
      runtime: this.runtime,
      models: omaModels(),
      authoriser,
      consumer: {
        send: (_registration, entries) => {
          this.sent.push(...entries);
          return { kind: 'accepted' };
        },
        notification: (_registration, _paths, entries) => void this.notified.push(...entries),
      },
    });
  }

  #createTree(): ObjectTree {
    const models = omaModels();
    const objects = [
      ...enablerObjects(models, { reboot: () => void this.reboots++ }),
      defineObject(models, 3303),
      defineObject(models, 19, { creatable: true }),
    ];
    const tree = new ObjectTree(objects, undefined, models);
    tree.require(3).add(0, [
      [0, 'ACME'],
      [11, new Map([[0, 0]])],
      [16, 'T'],
    ]);
    tree.require(3303).add(0, [
      [5700, 20.5],
      [5701, 'Cel'],
    ]);
    tree.require(19).add(0, [[0, new Map([[0, new Uint8Array(0)]])]]);
    return tree;
  }

  #addAccount(port: number): void {
    const mode = this.#security === undefined ? SECURITY_MODE.NOSEC : SECURITY_MODE.X509;
    this.tree.require(0).add(0, [
      [0, `${this.scheme}://${ADDRESS}:${port}`],
      [1, false],
      [2, mode],
      [3, new Uint8Array(0)],
      [4, new Uint8Array(0)],
      [5, new Uint8Array(0)],
      [10, 101],
    ]);
    this.tree.require(1).add(0, [
      [0, 101],
      [1, 300],
      [6, true],
      [7, 'T'],
    ]);
  }

  #transport(): Lwm2mTransport {
    const { runtime } = this;
    return {
      connect: async ({ account, handler, lost }) => {
        const { scheme, host, port } = parseCoapUri(account.uri);
        assert.equal(scheme, this.scheme);
        const connection = await connectStream({ address: host, port }, this.#security?.device);
        const endpoint = createCoapStreamEndpoint({ runtime, handler });
        let closing = false;
        const peer = endpoint.attach(
          watched(connection, () => {
            if (!closing) lost('closed');
          }),
        );
        return {
          endpoint,
          peer,
          close: () => {
            closing = true;
            endpoint.release(peer);
            return endpoint.close();
          },
        };
      },
    };
  }
}

/** The connection, with `gone` called after its end. */
function watched(connection: StreamConnection, gone: () => void): StreamConnection {
  return {
    ...connection,
    listen: (handlers) =>
      connection.listen({
        data: (data) => handlers.data(data),
        closed: (error) => {
          handlers.closed(error);
          gone();
        },
      }),
  };
}

/** Waits for a condition. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const untilMs = performance.now() + WAIT_MS;
  while (!condition()) {
    assert.ok(performance.now() < untilMs, `waited too long: ${what}`);
    await sleep(5);
  }
}
