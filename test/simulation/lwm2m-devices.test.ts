/**
 * A small fleet and its servers on a network that loses, repeats and reorders, and on which servers restart.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint } from '@sefleet/coap';
import { defineObject, enablerObjects, Lwm2mPath, ObjectTree, omaModels } from '@sefleet/lwm2m';
import {
  accountWrites,
  createBootstrapServer,
  createLwm2mClient,
  createLwm2mServer,
  DEFAULT_CLIENT_SETTINGS,
} from '@sefleet/lwm2m-coap';
import type { Lwm2mClient, Lwm2mServer, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';

const models = omaModels();
const SENSOR = Lwm2mPath.parse('/3303/0/5700');
const SERVER = '10.0.1.1';
const BOOTSTRAP = '10.0.0.1';
const SEEDS = [1, 2, 3];

class Fleet {
  readonly runtime: SimRuntime;
  readonly network: SimNetwork;
  readonly clients: Lwm2mClient[] = [];
  readonly stored = new Map<string, Set<number>>();
  server: Lwm2mServer;
  #endpoint: CoapEndpoint | undefined;

  constructor(seed: number, devices: number) {
    this.runtime = new SimRuntime(seed);
    this.network = new SimNetwork(this.runtime, {
      loss: 0.15,
      duplicate: 0.1,
      delayMsMin: 5,
      delayMsMax: 400,
    });
    this.server = this.#serve();
    this.#serveBootstrap();
    for (let i = 0; i < devices; i++) this.clients.push(this.#createClient(`device-${i}`));
  }

  /** The server dies with all that it knew, and another takes its place. */
  restart(): void {
    void this.#endpoint?.close();
    this.server = this.#serve();
  }

  #serve(): Lwm2mServer {
    const server = createLwm2mServer({
      runtime: this.runtime,
      models,
      authoriser: { authorise: (_peer, name) => (name === undefined ? undefined : { endpoint: name }) },
      consumer: {
        send: ({ endpoint }, entries) => {
          const stored = this.stored.get(endpoint) ?? new Set();
          for (const { value } of entries) stored.add(Number(value));
          this.stored.set(endpoint, stored);
          return { kind: 'accepted' };
        },
        notification: () => {},
      },
    });
    const channel = this.network.bind(SERVER, 5683);
    this.#endpoint = server.listen((handler) =>
      createCoapEndpoint({ runtime: this.runtime, channel, handler }),
    );
    return server;
  }

  #serveBootstrap(): void {
    const server = createBootstrapServer({
      runtime: this.runtime,
      models,
      authoriser: { authorise: (_peer, name) => (name === undefined ? undefined : { endpoint: name }) },
      configurationFor: () => ({
        deletes: [Lwm2mPath.parse('/1')],
        writes: accountWrites({
          securityInstance: 1,
          serverInstance: 0,
          shortServerId: 101,
          uri: `coap://${SERVER}`,
          security: { mode: 'none' },
          lifetimeSeconds: 600,
          binding: 'U',
          notificationStoring: true,
        }),
      }),
    });
    const channel = this.network.bind(BOOTSTRAP, 5683);
    server.listen((handler) => createCoapEndpoint({ runtime: this.runtime, channel, handler }));
  }

  #createClient(endpointName: string): Lwm2mClient {
    const tree = new ObjectTree([...enablerObjects(models), defineObject(models, 3303)], undefined, models);
    tree.require(0).add(0, [
      [0, `coap://${BOOTSTRAP}`],
      [1, true],
      [2, 3],
    ]);
    tree.require(3).add(0, [
      [0, 'sefleet'],
      [11, new Map([[0, 0]])],
      [16, 'U'],
    ]);
    tree.require(3303).add(0, [[5700, 20]]);
    const { runtime, network } = this;
    const transport: Lwm2mTransport = {
      connect({ account, handler }) {
        const channel = network.bind(`10.8.${endpointName.slice(7)}.1`);
        const endpoint = createCoapEndpoint({ channel, runtime, handler });
        const peer = channel.peerAt(new URL(account.uri).hostname, 5683);
        return Promise.resolve({ endpoint, peer, close: () => endpoint.close() });
      },
    };
    // Persistent devices: the default gives up after a day.
    const retry = { count: 5, timerSeconds: 10, sequenceDelaySeconds: 60, sequenceCount: 1000 };
    const settings = { ...DEFAULT_CLIENT_SETTINGS, bootstrapRetry: retry };
    return createLwm2mClient({ endpointName, tree, runtime, transport, settings });
  }
}

for (const seed of SEEDS) {
  it(`every device registers and no acknowledged reading is lost (seed ${seed})`, async () => {
    const fleet = new Fleet(seed, 8);
    const acknowledged = new Map<string, Set<number>>();
    for (const client of fleet.clients) void client.start().catch(() => undefined);
    for (let round = 0; round < 40; round++) {
      for (const client of fleet.clients) {
        const name = client.endpointName;
        const value = round + 0.5;
        client.send([{ path: SENSOR, value }]).then(
          () => acknowledged.set(name, (acknowledged.get(name) ?? new Set()).add(value)),
          () => undefined,
        );
      }
      await fleet.runtime.advance(60_000);
      if (round === 20) fleet.restart();
    }
    await fleet.runtime.advance(3_600_000);
    for (const { endpointName, state, outboxSize } of fleet.clients) {
      assert.equal(state, 'registered', endpointName);
      assert.equal(outboxSize, 0, endpointName);
      const stored = fleet.stored.get(endpointName) ?? new Set();
      for (const value of acknowledged.get(endpointName) ?? []) assert.ok(stored.has(value), `${value}`);
      assert.equal(stored.size, 40, `${endpointName} stored everything`);
    }
    assert.equal(fleet.server.size, fleet.clients.length);
    await Promise.all(
      fleet.clients.map(async (client) => {
        await client.powerOff();
      }),
    );
  });
}
