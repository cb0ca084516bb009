import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { common, management, provisioning } from '@sefleet/api';
import { createEventLog } from '@sefleet/observability';
import { createGrpcClient, ensureLocalPki, readTlsFiles, serve, startGrpcServer } from '@sefleet/service';
import type { GrpcClient, GrpcServer } from '@sefleet/service';
import { endpointOf, keyOf, LIFETIME_SECONDS } from './fleet.ts';

const SERVER = fileURLToPath(new URL('../../../services/lwm2m-server/src/main.ts', import.meta.url));

interface Ready {
  readonly type: 'ready';
  readonly grpcPort: number;
  readonly lwm2mPort: number;
  readonly bootstrapPort: number;
}

/**
 * The LwM2M server in a process of its own, and a provisioning service in this one that knows every load
 * device.
 */
export class LoadBackend {
  readonly folder = mkdtempSync(join(tmpdir(), 'sefleet-bench-'));
  client!: GrpcClient<typeof management.DeviceManagementService>;
  lwm2mPort = 0;
  bootstrapPort = 0;
  grpcPort = 0;
  #provisioning!: GrpcServer;
  #server!: ChildProcess;

  #environment: Readonly<Record<string, string>>;
  readonly #pki: string;

  private constructor(environment: Readonly<Record<string, string>>, beside: LoadBackend | undefined) {
    this.#environment = environment;
    this.#pki = beside === undefined ? this.folder : beside.#pki;
  }

  /**
   * @param environment settings of the server beside those that the backend makes
   * @param beside another backend of the same authority
   */
  static async start(
    environment: Readonly<Record<string, string>> = {},
    beside?: LoadBackend,
  ): Promise<LoadBackend> {
    const backend = new LoadBackend(environment, beside);
    await ensureLocalPki(backend.#pki, ['lwm2m-server', 'provisioning', 'cli']);
    backend.#provisioning = await startGrpcServer({
      address: '127.0.0.1',
      port: 0,
      tls: readTlsFiles(backend.#pki, 'provisioning'),
      services: [backend.#credentials()],
      log: createEventLog({ service: 'provisioning', level: 'silent' }),
    });
    await backend.startServer();
    return backend;
  }

  async startServer(): Promise<void> {
    this.#server = fork(SERVER, {
      env: {
        ...process.env,
        SEFLEET_LOG_LEVEL: 'error',
        SEFLEET_DATA: this.folder,
        SEFLEET_PKI: this.#pki,
        SEFLEET_GRPC_PORT: String(this.grpcPort),
        SEFLEET_LWM2M_PORT: String(this.lwm2mPort),
        SEFLEET_BOOTSTRAP_PORT: String(this.bootstrapPort),
        SEFLEET_PROVISIONING_TARGET: `127.0.0.1:${this.#provisioning.port}`,
        // Nothing listens there: no records are sent.
        SEFLEET_MQTT_URL: 'mqtts://127.0.0.1:9',
        ...this.#environment,
      },
    });
    const [message] = await once(this.#server, 'message');
    const ready = message as Ready; // what the service's life sends first
    this.grpcPort = ready.grpcPort;
    this.lwm2mPort = ready.lwm2mPort;
    this.bootstrapPort = ready.bootstrapPort;
    const tls = readTlsFiles(this.#pki, 'cli');
    this.client = createGrpcClient(management.DeviceManagementService, `127.0.0.1:${ready.grpcPort}`, tls);
  }

  /** Starts the server again, on its ports, with other settings. */
  async restart(environment: Readonly<Record<string, string>>): Promise<void> {
    this.#environment = environment;
    await this.killServer();
    await this.startServer();
  }

  /** The gRPC interface with another caller's certificate. */
  async clientOf(caller: string): Promise<GrpcClient<typeof management.DeviceManagementService>> {
    await ensureLocalPki(this.#pki, [caller]);
    const tls = readTlsFiles(this.#pki, caller);
    return createGrpcClient(management.DeviceManagementService, `127.0.0.1:${this.grpcPort}`, tls);
  }

  /** `kill -9` of the server. */
  async killServer(): Promise<void> {
    this.client.close();
    const exited = once(this.#server, 'exit');
    this.#server.kill('SIGKILL');
    await exited;
  }

  /** Resident memory of the server's process, in bytes. */
  serverRss(): number {
    const status = readFileSync(`/proc/${this.#server.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024;
  }

  /** Seconds of processor time that the server has used. */
  serverCpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#server.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async counters(): Promise<ReadonlyMap<string, number>> {
    const { counters, kinds } = await this.client.getStatistics({});
    const found = new Map(counters.map(({ name, value }) => [name, Number(value)]));
    found.set(
      'registered',
      kinds.reduce((sum, { registered }) => sum + Number(registered), 0),
    );
    return found;
  }

  async stop(): Promise<void> {
    await this.killServer();
    await this.#provisioning.close(100);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #credentials() {
    return serve(provisioning.CredentialService, {
      lookupPsks: ({ identities }) => ({
        credentials: identities.map((identity) => ({
          identity,
          psk: keyOf(identity),
          endpoint: endpointOf(identity.replace(/-bs$/, '')),
          kind: common.DeviceKind.SMART_METER,
          bootstrap: identity.endsWith('-bs'),
        })),
      }),
      lookupOwnCredentials: () => ({ credentials: [] }),
      getBootstrapConfiguration: ({ endpoint }) => {
        const pskIdentity = endpoint.slice(endpointOf('').length);
        const account = {
          securityInstance: 1,
          serverInstance: 1,
          shortServerId: 101,
          uri: `coaps://127.0.0.1:${this.lwm2mPort}`,
          pskIdentity,
          secretKey: keyOf(pskIdentity),
          lifetimeSeconds: LIFETIME_SECONDS,
          binding: 'U',
        };
        return { deletes: ['/0', '/1'], servers: [account] };
      },
    });
  }
}
