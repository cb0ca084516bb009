import assert from 'node:assert/strict';
import { CODE, createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, CoapReply, CoapRequest, CoapRequestInit, CoapResponse } from '@sefleet/coap';
import {
  CONTENT_FORMAT,
  defineObject,
  enablerObjects,
  encodeContent,
  Lwm2mPath,
  ObjectTree,
  omaModels,
} from '@sefleet/lwm2m';
import type { Lwm2mEntry, Lwm2mValue } from '@sefleet/lwm2m';
import type { Peer } from '@sefleet/runtime';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import type { SimChannel } from '@sefleet/runtime/sim';
import { createLwm2mClient } from './create-client.ts';
import type { Lwm2mClient } from './lwm2m-client.ts';
import { DEFAULT_CLIENT_SETTINGS } from './settings.ts';
import type { Lwm2mClientEvents, Lwm2mClientSettings, Lwm2mTransport } from './settings.ts';

export const models = omaModels();
export const SERVER = '10.0.0.1';
export const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);
export const entry = (text: string, value: Lwm2mValue): Lwm2mEntry => ({ path: path(text), value });

/** A device and a server of which the test writes every answer, on one virtual clock. */
export class World {
  readonly runtime = new SimRuntime(7);
  readonly network = new SimNetwork(this.runtime);
  readonly requests: CoapRequest[] = [];
  readonly server: CoapEndpoint;
  readonly tree: ObjectTree;
  readonly client: Lwm2mClient;
  reboots = 0;
  answer: (request: CoapRequest) => CoapReply | Promise<CoapReply> = (request) => this.accept(request);
  device: Peer | undefined;
  lose: ((reason: string) => void) | undefined;
  connections = 0;
  connectionsClosed = 0;
  /** When set, connecting fails with it. */
  refuses: Error | undefined;

  constructor(settings: Partial<Lwm2mClientSettings> = {}, events: Lwm2mClientEvents = {}) {
    const channel = this.network.bind(SERVER, 5683);
    this.server = createCoapEndpoint({
      channel,
      runtime: this.runtime,
      handler: (request) => {
        this.requests.push(request);
        this.device = request.peer;
        return this.answer(request);
      },
    });
    this.tree = new ObjectTree(
      [
        ...enablerObjects<World>(models, { reboot: (world) => world.reboots++ }),
        defineObject(models, 3303, { creatable: true }),
        defineObject(models, 6),
        defineObject(models, 25),
      ],
      this,
      models,
    );
    this.tree.require(3).add(0, [
      [0, 'ACME'],
      [11, new Map([[0, 0]])],
      [16, 'U'],
    ]);
    this.tree.require(3303).add(0, [
      [5700, 20.5],
      [5701, 'Cel'],
    ]);
    this.client = createLwm2mClient({
      endpointName: 'dev-1',
      tree: this.tree,
      runtime: this.runtime,
      transport: this.#transport(),
      settings: { ...DEFAULT_CLIENT_SETTINGS, ...settings },
      events,
    });
  }

  accept(request: CoapRequest): CoapReply {
    if (request.path === '/rd') return { code: CODE.CREATED, locationPath: '/rd/4711' };
    return { code: CODE.CHANGED };
  }

  withAccounts(lifetime = 300): this {
    this.tree.require(0).add(1, [
      [0, `coap://${SERVER}`],
      [1, false],
      [2, 3],
      [10, 101],
    ]);
    this.tree.require(1).add(0, [
      [0, 101],
      [1, lifetime],
      [6, true],
      [7, 'U'],
    ]);
    return this;
  }

  withBootstrapAccount(): this {
    this.tree.require(0).add(0, [
      [0, `coap://${SERVER}`],
      [1, true],
      [2, 3],
    ]);
    return this;
  }

  async run<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const watched = promise.finally(() => (done = true));
    watched.catch(() => undefined);
    await this.runtime.runUntil(() => done, 3_600_000);
    return watched;
  }

  ask(init: CoapRequestInit): Promise<CoapResponse> {
    assert.ok(this.device);
    return this.run(this.server.request(this.device, init));
  }

  #transport(): Lwm2mTransport {
    return {
      connect: ({ handler, lost }) => {
        this.connections++;
        if (this.refuses !== undefined) return Promise.reject(this.refuses);
        const channel: SimChannel = this.network.bind('10.0.0.2');
        const endpoint = createCoapEndpoint({ channel, runtime: this.runtime, handler });
        this.lose = lost;
        return Promise.resolve({
          endpoint,
          peer: channel.peerAt(SERVER, 5683),
          close: () => {
            this.connectionsClosed++;
            return endpoint.close();
          },
        });
      },
    };
  }
}

export const senml = (
  base: string,
  entries: Lwm2mEntry[],
): Pick<CoapRequestInit, 'payload' | 'contentFormat'> => ({
  contentFormat: CONTENT_FORMAT.SENML_CBOR,
  payload: encodeContent(CONTENT_FORMAT.SENML_CBOR, path(base), entries, models),
});
