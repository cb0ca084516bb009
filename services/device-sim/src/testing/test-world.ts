import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCoapEndpoint } from '@sefleet/coap';
import {
  decodeSealedRecord,
  deriveRecordKey,
  openTelemetryRecord,
  type TelemetryRecord,
} from '@sefleet/cose';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { omaModels, Lwm2mPath } from '@sefleet/lwm2m';
import {
  accountWrites,
  createBootstrapServer,
  createLwm2mServer,
  SEALED_RECORD_PATH,
  type DeviceAuthoriser,
  type Lwm2mServer,
} from '@sefleet/lwm2m-coap';
import { connectStream } from '@sefleet/runtime/node';
import { createEventLog } from '@sefleet/observability';
import { SimNetwork, SimRuntime, type NetworkConditions } from '@sefleet/runtime/sim';
import type { CardSource } from '../fleet/card-source.ts';
import type { FleetPorts } from '../fleet/fleet.ts';
import { FleetStore } from '../store/fleet-store.ts';
import { GroupCommit } from '../store/group-commit.ts';
import { Lwm2mCarrier } from '../telemetry/lwm2m-carrier.ts';
import { createTestCard, TEST_CONTAINER, TEST_RECORD_MASTER, testPsk } from './test-card.ts';

const SERVER_ADDRESS = '10.0.0.1';
const DEVICE_ADDRESS = '10.1.0.1';
const BOOTSTRAP_PORT = 5784;
const MANAGEMENT_PORT = 5684;

/** A device is who its pre-shared key says. */
const BY_IDENTITY: DeviceAuthoriser = {
  authorise: ({ identity }, endpoint) =>
    identity.kind === 'psk' && endpoint !== undefined && identity.identity.endsWith(endpoint)
      ? { endpoint }
      : undefined,
};

/** Servers, cards and a network in one process, on a virtual clock: everything that a fleet meets. */
export class TestWorld {
  readonly runtime: SimRuntime;
  readonly network: SimNetwork;
  readonly folder: string = mkdtempSync(join(tmpdir(), 'sefleet-fleet-'));
  /** Sealed records in the order in which the management server took them, by endpoint. */
  readonly received = new Map<string, Uint8Array[]>();
  #servers: (() => Promise<void>) | undefined;
  management: Lwm2mServer | undefined;
  bootstraps = 0;
  #managementPort = MANAGEMENT_PORT;
  /** While false, the server says that it is busy. */
  accepting = true;

  constructor(seed: number, conditions: Partial<NetworkConditions> = {}) {
    this.runtime = new SimRuntime(seed);
    this.network = new SimNetwork(this.runtime, conditions);
  }

  /**
   * Brings bootstrap and management server up; nothing of an earlier life is known to them.
   *
   * @param managementPort where the management server is, and what the bootstrap server tells of it
   */
  startServers(managementPort = MANAGEMENT_PORT): void {
    this.#managementPort = managementPort;
    const { runtime } = this;
    const authoriser = BY_IDENTITY;
    const bootstrap = createBootstrapServer({
      runtime,
      models: omaModels(),
      authoriser,
      configurationFor: ({ endpoint }) => ({
        deletes: [Lwm2mPath.parse('/0'), Lwm2mPath.parse('/1')],
        writes: accountWrites({
          securityInstance: 1,
          serverInstance: 0,
          shortServerId: 1,
          uri: `coaps://${SERVER_ADDRESS}:${managementPort}`,
          security: {
            mode: 'psk',
            identity: endpoint,
            key: Uint8Array.from(Buffer.from(`se:${TEST_CONTAINER.managementPsk}`)),
          },
          lifetimeSeconds: 3600,
          binding: 'U',
          notificationStoring: true,
        }),
      }),
      events: { finished: () => void this.bootstraps++ },
    });
    const management = createLwm2mServer({
      runtime,
      models: omaModels(),
      authoriser,
      consumer: {
        send: ({ endpoint }, entries) => {
          if (!this.accepting) return { kind: 'busy', retryAfterSeconds: 1 };
          const own = this.received.get(endpoint) ?? [];
          this.received.set(endpoint, own);
          for (const { path, value } of entries) {
            const isRecord = path.toString() === SEALED_RECORD_PATH.toString();
            if (isRecord && value instanceof Uint8Array) own.push(value.slice());
          }
          return { kind: 'accepted' };
        },
        notification: () => undefined,
      },
    });
    bootstrap.listen((handler) =>
      createCoapEndpoint({ channel: this.#secured(BOOTSTRAP_PORT), runtime, handler }),
    );
    management.listen((handler) =>
      createCoapEndpoint({ channel: this.#secured(managementPort), runtime, handler }),
    );
    this.management = management;
    this.#servers = async () => {
      await Promise.all([bootstrap.close(), management.close()]);
    };
  }

  /** Ends the servers as a kill does: what they say on their way reaches nobody. */
  async killServers(): Promise<void> {
    const { network } = this;
    const before = network.filter;
    network.filter = (_data, from) => !from.startsWith(SERVER_ADDRESS);
    await this.#servers?.();
    network.filter = before;
    for (const port of [BOOTSTRAP_PORT, this.#managementPort])
      network.remove(network.bind(SERVER_ADDRESS, port));
  }

  /** What a fleet works with, its store in `folder`. */
  ports(folder = this.folder): FleetPorts {
    const { runtime } = this;
    const store = new FleetStore(join(folder, 'fleet.db'));
    const nowMs = (): number => runtime.clock.monotonicMs();
    return {
      runtime,
      store,
      journal: new GroupCommit(store, { timers: runtime.timers, nowMs, windowMs: 50 }),
      cards: this.#cards(),
      log: createEventLog({ service: 'device-sim', level: 'silent' }),
      bind: () => Promise.resolve(this.network.bind(DEVICE_ADDRESS)),
      openStream: connectStream,
      carrierFor: ({ client }) => new Lwm2mCarrier(client),
      residentMemoryBytes: () => 0,
    };
  }

  /** The records of one endpoint as its stakeholder reads them, in the order of arrival. */
  opened(endpoint: string): readonly TelemetryRecord[] {
    const key = deriveRecordKey(TEST_RECORD_MASTER, endpoint);
    return (this.received.get(endpoint) ?? []).map((sealed) =>
      openTelemetryRecord(decodeSealedRecord(sealed), key, endpoint),
    );
  }

  #secured(port: number) {
    return createDtlsEndpoint({
      channel: this.network.bind(SERVER_ADDRESS, port),
      runtime: this.runtime,
      connectionIdLength: 6,
      server: {
        pskFor: (identity) => {
          const bootstrap = identity.startsWith('bs:');
          const endpoint = bootstrap ? identity.slice(3) : identity;
          return createSoftwarePsk(identity, testPsk(endpoint, bootstrap ? 'bootstrap' : 'management'));
        },
      },
    });
  }

  #cards(): CardSource {
    const { runtime } = this;
    return {
      order: async function* (devices) {
        for (const { endpoint, kind } of devices) {
          yield [
            {
              endpoint,
              kind,
              bootstrapUri: `coaps://${SERVER_ADDRESS}:${BOOTSTRAP_PORT}`,
              bootstrapPskIdentity: `bs:${endpoint}`,
              bootstrapSecretId: TEST_CONTAINER.bootstrapPsk,
              deviceKeyId: TEST_CONTAINER.deviceKey,
              certificateChain: [],
              factoryAccounts: new Uint8Array(0),
              cardImage: await createTestCard(endpoint, runtime.rng),
            },
          ];
        }
      },
    };
  }
}
