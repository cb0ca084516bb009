import { createCoapEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, TransmissionParameters } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import {
  createModelRegistry,
  defineObject,
  enablerObjects,
  Lwm2mPath,
  ObjectTree,
  omaModels,
} from '@sefleet/lwm2m';
import type { ObjectDefinition } from '@sefleet/lwm2m';
import {
  APDU_EXCHANGE_MODEL,
  createLwm2mClient,
  decodeApduScript,
  DEFAULT_CLIENT_SETTINGS,
  encodeApduScript,
} from '@sefleet/lwm2m-coap';
import type { Lwm2mClient, Lwm2mClientSettings, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import type { KnownDevice } from './server-bench.ts';

const models = createModelRegistry([APDU_EXCHANGE_MODEL], omaModels());

/**
 * A device on a socket of its own, with keys in memory and a card that answers every APDU with itself and
 * 9000.
 */
export class SoftwareDevice {
  readonly runtime = createNodeRuntime();
  readonly tree: ObjectTree<SoftwareDevice>;
  readonly client: Lwm2mClient;
  /** What the card answers with. */
  statusWord = Uint8Array.of(0x90, 0x00);
  readonly scripts: (readonly Uint8Array[])[] = [];
  /** How often it was told to restart, which it does not. */
  reboots = 0;
  readonly #endpoints: CoapEndpoint[] = [];
  readonly #coapSettings: Partial<TransmissionParameters>;

  constructor(
    known: KnownDevice,
    settings: Partial<Lwm2mClientSettings> = {},
    coapSettings: Partial<TransmissionParameters> = {},
  ) {
    this.#coapSettings = coapSettings;
    this.tree = new ObjectTree(
      [
        ...enablerObjects<SoftwareDevice>(models, { reboot: (device) => device.reboots++ }),
        defineObject(models, 6),
        defineObject(models, 25),
        this.#apduObject(),
      ],
      this,
      models,
    );
    this.tree.require(3).add(0, [
      [0, 'sefleet'],
      [11, new Map([[0, 0]])],
      [13, 1_700_000_000],
      [16, 'U'],
    ]);
    this.tree.require(30_000).add(0, [[1, new Uint8Array(0)]]);
    this.client = createLwm2mClient({
      endpointName: known.endpoint,
      tree: this.tree,
      runtime: this.runtime,
      transport: this.#transport(),
      settings: { ...DEFAULT_CLIENT_SETTINGS, ...settings },
    });
  }

  /** A sensor behind the device, which makes it a gateway. */
  withSensor(deviceId: string, prefix: string, celsius: number): this {
    const sensor = new ObjectTree([defineObject(models, 3303)], undefined, models);
    sensor.require(3303).add(0, [[5700, celsius]]);
    this.client.attachEndDevice(deviceId, prefix, sensor);
    return this;
  }

  /** An account of the management server, as a bootstrap writes it. */
  withManagementAccount(port: number, known: KnownDevice, binding = 'U', lifetimeSeconds = 300): this {
    this.#addSecurity(1, port, false, known.identity, known.psk);
    this.tree.require(1).add(0, [
      [0, 101],
      [1, lifetimeSeconds],
      [6, true],
      [7, binding],
    ]);
    return this;
  }

  withBootstrapAccount(port: number, known: KnownDevice): this {
    this.#addSecurity(0, port, true, known.bootstrapIdentity, known.bootstrapPsk);
    return this;
  }

  async powerOff(): Promise<void> {
    await this.client.powerOff();
    // A bootstrap connection lingers for repeated messages; there is no time left for that.
    await Promise.all(this.#endpoints.map((endpoint) => endpoint.close()));
    this.runtime.close();
  }

  #addSecurity(instance: number, port: number, bootstrap: boolean, identity: string, key: Uint8Array): void {
    this.tree
      .require(0)
      .add(instance, [
        [0, `coaps://127.0.0.1:${port}`],
        [1, bootstrap],
        [2, 0],
        [3, Buffer.from(identity)],
        [5, key],
        ...(bootstrap ? [] : [[10, 101] as const]),
      ]);
  }

  #apduObject(): ObjectDefinition<SoftwareDevice> {
    return {
      model: APDU_EXCHANGE_MODEL,
      supports: [0],
      behaviour: {
        write: (instance, _resourceId, value) => {
          const commands = decodeApduScript(value instanceof Uint8Array ? value : new Uint8Array(0));
          this.scripts.push(commands);
          instance.set(
            1,
            encodeApduScript(commands.map((command) => Buffer.concat([command, this.statusWord]))),
          );
          return 'handled';
        },
      },
    };
  }

  #transport(): Lwm2mTransport {
    const { runtime } = this;
    return {
      connect: async ({ account, handler, lost }) => {
        const channel = await UdpChannel.bind();
        const events = { sessionClosed: (_peer: unknown, reason: string) => lost(reason) };
        const dtls = createDtlsEndpoint({ channel, runtime, events });
        const endpoint = createCoapEndpoint({
          runtime,
          channel: dtls,
          handler,
          settings: this.#coapSettings,
        });
        this.#endpoints.push(endpoint);
        const identity = Buffer.from(account.publicKeyOrIdentity).toString('utf8');
        const key = this.tree.value(new Lwm2mPath(0, account.instanceId, 5));
        const secretKey = key instanceof Uint8Array ? key : new Uint8Array(1);
        const port = Number(new URL(account.uri).port);
        try {
          const peer = await dtls.connect('127.0.0.1', port, { psk: createSoftwarePsk(identity, secretKey) });
          return { endpoint, peer, close: () => endpoint.close() };
        } catch (error) {
          await endpoint.close();
          throw error;
        }
      },
    };
  }
}
