import { createCoapEndpoint } from '@sefleet/coap';
import type { TransmissionParameters } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import {
  CONTENT_FORMAT,
  defineObject,
  enablerObjects,
  Lwm2mPath,
  ObjectTree,
  omaModels,
} from '@sefleet/lwm2m';
import type { ObjectDefinition } from '@sefleet/lwm2m';
import { createLwm2mClient, DEFAULT_CLIENT_SETTINGS } from '@sefleet/lwm2m-coap';
import type { Lwm2mClient, Lwm2mClientEvents, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';

/** One device of the load: a client with a handful of objects and keys in memory. */
export interface LoadDevice {
  readonly endpoint: string;
  readonly tree: ObjectTree<undefined>;
  readonly client: Lwm2mClient;
}

const models = omaModels();
const DEFINITIONS: readonly ObjectDefinition<undefined>[] = [
  ...enablerObjects<undefined>(models, {}),
  defineObject(models, 3303),
];
/** Long enough that no update comes by itself while something else is measured. */
export const LIFETIME_SECONDS = 3600;

/** Many devices in this process, each on a socket of its own. */
export class LoadFleet {
  readonly runtime = createNodeRuntime();
  readonly devices: LoadDevice[] = [];
  readonly events: Lwm2mClientEvents;
  readonly #coapSettings: Partial<TransmissionParameters>;

  constructor(
    size: number,
    bootstrapPort: number,
    events: Lwm2mClientEvents,
    coapSettings: Partial<TransmissionParameters> = { ackTimeoutMs: 2000, maxRetransmit: 2 },
  ) {
    this.events = { ...events };
    this.#coapSettings = coapSettings;
    const transport = this.#transport();
    for (let i = 0; i < size; i++) this.devices.push(this.#create(i, bootstrapPort, transport));
  }

  /** Starts every device, `concurrency` at a time, and resolves when all are registered. */
  async start(concurrency: number): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let device = this.devices[next++]; device !== undefined; device = this.devices[next++]) {
        await device.client.start();
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
  }

  /** Ends every device without a word. */
  async stop(): Promise<void> {
    await Promise.all(this.devices.map(({ client }) => client.powerOff()));
    this.runtime.close();
  }

  #create(index: number, bootstrapPort: number, transport: Lwm2mTransport): LoadDevice {
    const name = nameOf(index);
    const tree = new ObjectTree<undefined>(DEFINITIONS, undefined, models);
    tree.require(0).add(0, [
      [0, `coaps://127.0.0.1:${bootstrapPort}`],
      [1, true],
      [2, 0],
      [3, Buffer.from(`${name}-bs`)],
      [5, keyOf(`${name}-bs`)],
    ]);
    tree.require(3).add(0, DEVICE_VALUES);
    tree.require(3303).add(0, [[5700, 20]]);
    const endpointName = endpointOf(name);
    const { runtime, events } = this;
    const settings = {
      ...DEFAULT_CLIENT_SETTINGS,
      bootstrapFormat: CONTENT_FORMAT.SENML_CBOR,
      bootstrapLingerMs: 0,
      confirmableNotifications: false,
    };
    const client = createLwm2mClient({ endpointName, tree, runtime, transport, events, settings });
    return { endpoint: endpointName, tree, client };
  }

  #transport(): Lwm2mTransport {
    const { runtime } = this;
    return {
      connect: async ({ account, tree, handler, lost }) => {
        const channel = await UdpChannel.bind({ maxQueued: 64 });
        const events = {
          sessionClosed: (_peer: unknown, reason: string) => {
            if (reason !== 'closed' && reason !== 'shutdown') lost(reason);
          },
        };
        const flightTimers = { initialTimeoutMs: 2000, maxTimeoutMs: 8000, maxRetransmissions: 3 };
        const dtls = createDtlsEndpoint({ channel, runtime, events, flightTimers });
        const settings = this.#coapSettings;
        const endpoint = createCoapEndpoint({ runtime, channel: dtls, handler, settings });
        try {
          const identity = Buffer.from(account.publicKeyOrIdentity).toString('utf8');
          const key = tree.value(new Lwm2mPath(0, account.instanceId, 5));
          const psk = createSoftwarePsk(identity, key instanceof Uint8Array ? key : new Uint8Array(1));
          const cipherSuites = ['TLS_PSK_WITH_AES_128_CCM_8'] as const;
          const peer = await dtls.connect('127.0.0.1', Number(new URL(account.uri).port), {
            psk,
            cipherSuites,
          });
          return {
            endpoint,
            peer,
            close: () => {
              dtls.closePeer(peer);
              return endpoint.close();
            },
          };
        } catch (error) {
          await endpoint.close();
          throw error;
        }
      },
    };
  }
}

const DEVICE_VALUES = [
  [0, 'sefleet'],
  [11, new Map([[0, 0]])],
  [16, 'U'],
] as const;

function nameOf(index: number): string {
  return `load-${String(index).padStart(6, '0')}`;
}

export function endpointOf(name: string): string {
  return `urn:dev:sefleet:${name}`;
}

/** The key of an identity: of no worth beyond this program. */
export function keyOf(identity: string): Uint8Array {
  return Buffer.from(identity.padEnd(16, '*').slice(-16));
}
