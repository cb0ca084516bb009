import { createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { defineObject, enablerObjects, ObjectTree, omaModels } from '@sefleet/lwm2m';
import { createLwm2mClient, DEFAULT_CLIENT_SETTINGS } from '@sefleet/lwm2m-coap';
import type { Lwm2mClient, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';

/** The key of every device: of no worth beyond this program. */
export const KEY = 'a key of the load';

const models = omaModels();
const DEFINITIONS = [...enablerObjects<undefined>(models), defineObject<undefined>(models, 6)];
const LIFETIME_SECONDS = 3600;

/** Devices that know their server already, each on a socket of its own. */
export class DirectFleet {
  readonly #runtime = createNodeRuntime();
  readonly #devices: { readonly client: Lwm2mClient; readonly tree: ObjectTree<undefined> }[] = [];
  #updated = 0;

  constructor(size: number, port: number) {
    for (let i = 0; i < size; i++) this.#devices.push(this.#create(`load-${i}`, port));
  }

  /** Registers every device, `concurrency` at a time. */
  async start(concurrency: number): Promise<void> {
    const waiting = [...this.#devices];
    const worker = async (): Promise<void> => {
      for (let device = waiting.pop(); device !== undefined; device = waiting.pop())
        await device.client.start();
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
  }

  /** Updates, `window` under way at a time; answers a second. */
  async update(durationMs: number, window: number): Promise<number> {
    const before = this.#updated;
    const started = performance.now();
    for (let next = 0; performance.now() - started < durationMs;) {
      for (; next - (this.#updated - before) < window; next++) {
        this.#devices[next % this.#devices.length]?.client.update();
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return (this.#updated - before) / ((performance.now() - started) / 1000);
  }

  /** Values change as fast as this process can send; returns how many notifications that made. */
  async notify(durationMs: number): Promise<number> {
    const started = performance.now();
    let sent = 0;
    while (performance.now() - started < durationMs) {
      for (let i = 0; i < 64; i++, sent++) {
        const latitude = (sent % 9_000) / 100 + Math.floor(sent / this.#devices.length) / 1e6;
        this.#devices[sent % this.#devices.length]?.tree.instance(6, 0)?.set(0, latitude);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return sent;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#devices.map(({ client }) => client.powerOff()));
  }

  #create(endpointName: string, port: number): { client: Lwm2mClient; tree: ObjectTree<undefined> } {
    const tree = new ObjectTree<undefined>(DEFINITIONS, undefined, models);
    tree.require(0).add(1, [
      [0, `coaps://127.0.0.1:${port}`],
      [1, false],
      [2, 0],
      [3, Buffer.from(endpointName)],
      [5, Buffer.from(KEY)],
      [10, 101],
    ]);
    tree.require(1).add(0, [
      [0, 101],
      [1, LIFETIME_SECONDS],
      [6, true],
      [7, 'U'],
    ]);
    tree.require(3).add(0, [
      [0, 'sefleet'],
      [11, new Map([[0, 0]])],
      [16, 'U'],
    ]);
    tree.require(6).add(0, [
      [0, 52.5],
      [1, 13.4],
      [5, 1_767_225_600],
    ]);
    const client = createLwm2mClient({
      endpointName,
      tree,
      runtime: this.#runtime,
      transport: this.#transport(port),
      settings: { ...DEFAULT_CLIENT_SETTINGS, confirmableNotifications: false },
      events: { updated: () => void this.#updated++ },
    });
    return { client, tree };
  }

  #transport(port: number): Lwm2mTransport {
    return {
      connect: async ({ endpointName, handler, lost }) => {
        const runtime = this.#runtime;
        const channel = await UdpChannel.bind({ maxQueued: 64 });
        const events = { sessionClosed: (_peer: unknown, reason: string) => lost(reason) };
        const dtls = createDtlsEndpoint({ channel, runtime, events });
        const endpoint = createCoapEndpoint({ channel: dtls, runtime, handler });
        const psk = createSoftwarePsk(endpointName, Buffer.from(KEY));
        const cipherSuites = ['TLS_PSK_WITH_AES_128_CCM_8'] as const;
        const peer = await dtls.connect('127.0.0.1', port, { psk, cipherSuites });
        return { endpoint, peer, close: () => endpoint.close() };
      },
    };
  }
}
