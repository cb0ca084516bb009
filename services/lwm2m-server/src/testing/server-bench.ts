import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:tls';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { common, management, parties, provisioning } from '@sefleet/api';
import { readSettings } from '@sefleet/config';
import { createEventLog } from '@sefleet/observability';
import { createRevocationList, issueCertificate } from '@sefleet/pki';
import type { Credential } from '@sefleet/pki';
import {
  createGrpcClient,
  ensureLocalPki,
  type GrpcClient,
  type GrpcServer,
  readTlsFiles,
  type RunningService,
  serve,
  startGrpcServer,
  type TlsFiles,
} from '@sefleet/service';
import { LWM2M_SERVER_SERVICE } from '../lwm2m-server-service.ts';
import { LWM2M_SERVER_SETTINGS } from '../settings.ts';

/** A device that provisioning knows. */
export interface KnownDevice {
  readonly endpoint: string;
  readonly kind: common.DeviceKind;
  readonly identity: string;
  readonly psk: Uint8Array;
  readonly bootstrapIdentity: string;
  readonly bootstrapPsk: Uint8Array;
}

/** A credential that a device's owner made. */
export interface OwnCredential {
  readonly reference: string;
  readonly endpoint: string;
  readonly kind: common.DeviceKind;
  readonly authority?: Uint8Array;
}

/**
 * The service in this process, between a provisioning service and a broker that are test doubles on real
 * sockets.
 */
export class ServerBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'sefleet-lwm2m-'));
  readonly devices = new Map<string, KnownDevice>();
  /** Credentials that devices' owners made. */
  readonly ownCredentials: OwnCredential[] = [];
  /** Serial numbers on the revocation list. */
  readonly revoked = new Set<string>();
  /** What the broker got: topic and payload. */
  readonly published: { readonly topic: string; readonly payload: Buffer }[] = [];
  /** Batches that provisioning was asked for. */
  lookups = 0;
  client!: GrpcClient<typeof management.DeviceManagementService>;
  lwm2mPort = 0;
  bootstrapPort = 0;
  plainPort = 0;
  plainBootstrapPort = 0;
  #tls!: TlsFiles;
  #provisioning!: GrpcServer;
  #broker: Server | undefined;
  #aedes: Aedes | undefined;
  #mqttPort = 0;
  #service: RunningService | undefined;
  #grpc: GrpcServer | undefined;

  static async start(environment: Readonly<Record<string, string>> = {}): Promise<ServerBench> {
    const bench = new ServerBench();
    await ensureLocalPki(bench.folder, ['lwm2m-server', 'provisioning', 'analytics', 'cli']);
    bench.#provisioning = await bench.#startProvisioning();
    await bench.startBroker();
    await bench.startService(environment);
    return bench;
  }

  /** Makes provisioning know a device. */
  addDevice(name: string, kind = common.DeviceKind.SMART_METER): KnownDevice {
    const secret = (label: string): Uint8Array => Buffer.from(`${label} ${name}`.padEnd(16).slice(0, 16));
    const device = {
      endpoint: `urn:dev:sefleet:${name}`,
      kind,
      identity: name,
      psk: secret('key'),
      bootstrapIdentity: `${name}-bs`,
      bootstrapPsk: secret('bootstrap'),
    };
    this.devices.set(name, device);
    return device;
  }

  /**
   * A device certificate of the bench's authority. @param organisation `sefleet` and the kind, as
   * provisioning makes it
   */
  issueCertificate(commonName: string, organisation: string): Promise<Credential> {
    const authority = this.#authorityCredential();
    const now = Date.now();
    const validity = { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + 3_600_000) };
    return issueCertificate(authority, { commonName, organisation, clientAuth: true, ...validity });
  }

  /** The certificate of the bench's authority, DER. */
  authority(): Uint8Array {
    return new X509Certificate(readFileSync(join(this.folder, 'ca.pem'))).raw;
  }

  async startService(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const settings = readSettings(LWM2M_SERVER_SETTINGS, {
      SEFLEET_LWM2M_PORT: String(this.lwm2mPort),
      SEFLEET_BOOTSTRAP_PORT: String(this.bootstrapPort),
      SEFLEET_PROVISIONING_TARGET: `127.0.0.1:${this.#provisioning.port}`,
      SEFLEET_MQTT_URL: `mqtts://127.0.0.1:${this.#mqttPort}`,
      ...environment,
    });
    const log = createEventLog({ service: 'lwm2m-server', level: 'silent' });
    const tls = readTlsFiles(this.folder, 'lwm2m-server');
    const dataFolder = join(this.folder, 'data');
    this.#service = await LWM2M_SERVER_SERVICE.start({ settings, log, tls, dataFolder });
    this.#grpc = await this.#serve(this.#service.grpc, 'lwm2m-server', this.#service.callerRefused);
    const { ready = {} } = this.#service;
    this.lwm2mPort = Number(ready['lwm2mPort']);
    this.bootstrapPort = Number(ready['bootstrapPort']);
    this.plainPort = Number(ready['plainPort'] ?? 0);
    this.plainBootstrapPort = Number(ready['plainBootstrapPort'] ?? 0);
    this.#tls = readTlsFiles(this.folder, 'cli');
    this.client = createGrpcClient(
      management.DeviceManagementService,
      `127.0.0.1:${this.#grpc.port}`,
      this.#tls,
    );
  }

  /** Where the northbound interface is. */
  get target(): string {
    return `127.0.0.1:${this.#grpc?.port ?? 0}`;
  }

  /** The northbound interface with another caller's certificate. */
  async clientOf(caller: string): Promise<GrpcClient<typeof management.DeviceManagementService>> {
    await ensureLocalPki(this.folder, [caller]);
    const tls = readTlsFiles(this.folder, caller);
    return createGrpcClient(management.DeviceManagementService, this.target, tls);
  }

  async stopService(): Promise<void> {
    this.client.close();
    await this.#grpc?.close(100);
    await this.#service?.stop();
  }

  async startBroker(): Promise<void> {
    const { authority, certificate, privateKey } = readTlsFiles(this.folder, 'analytics');
    const aedes = await Aedes.createBroker();
    aedes.on('publish', ({ topic, payload }, client) => {
      if (client !== null) this.published.push({ topic, payload: Buffer.from(payload) });
    });
    const options = { ca: authority, cert: certificate, key: privateKey, requestCert: true };
    this.#broker = createServer({ ...options, rejectUnauthorized: true }, (socket) => aedes.handle(socket));
    this.#broker.listen(this.#mqttPort, '127.0.0.1');
    await once(this.#broker, 'listening');
    const address = this.#broker.address();
    this.#mqttPort = typeof address === 'object' && address !== null ? address.port : 0;
    this.#aedes = aedes;
  }

  async stopBroker(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#aedes?.close(() => resolve());
    });
    this.#broker?.close();
    await closed;
  }

  async stop(): Promise<void> {
    await this.stopService();
    await this.stopBroker();
    await this.#provisioning.close(100);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #serve(
    services: RunningService['grpc'],
    name: string,
    callerRefused?: RunningService['callerRefused'],
  ): Promise<GrpcServer> {
    return startGrpcServer({
      address: '127.0.0.1',
      port: 0,
      tls: readTlsFiles(this.folder, name),
      kind: name,
      services,
      callerRefused,
      log: createEventLog({ service: name, level: 'silent' }),
    });
  }

  #startProvisioning(): Promise<GrpcServer> {
    const service = serve(provisioning.CredentialService, {
      lookupPsks: ({ identities }) => {
        this.lookups++;
        return { credentials: identities.flatMap((identity) => this.#credentialsOf(identity)) };
      },
      lookupOwnCredentials: ({ references }) => ({
        credentials: this.ownCredentials.filter(({ reference }) => references.includes(reference)),
      }),
      getBootstrapConfiguration: ({ endpoint }) => {
        const device = [...this.devices.values()].find((known) => known.endpoint === endpoint);
        if (device === undefined) return {};
        const account = {
          securityInstance: 1,
          serverInstance: 1,
          shortServerId: 101,
          uri: `coaps://127.0.0.1:${this.lwm2mPort}`,
          pskIdentity: device.identity,
          secretKey: device.psk,
          lifetimeSeconds: 300,
          binding: 'U',
          notificationStoring: true,
        };
        return { deletes: ['/0', '/1'], servers: [account] };
      },
    });
    const revocation = serve(parties.RevocationService, {
      getRevocationList: async () => ({ revocationList: await this.#revocationList() }),
      revoke: () => ({}),
      listRevocations: () => ({}),
    });
    return this.#serve([service, revocation], 'provisioning');
  }

  #revocationList(): Promise<Uint8Array> {
    const thisUpdate = new Date();
    const revoked = [...this.revoked].map((serialNumber) => ({ serialNumber, revokedAt: thisUpdate }));
    const nextUpdate = new Date(thisUpdate.getTime() + 3_600_000);
    const dates = { number: thisUpdate.getTime(), thisUpdate, nextUpdate };
    return createRevocationList(this.#authorityCredential(), { ...dates, revoked });
  }

  #authorityCredential(): Credential {
    return {
      certificatePem: readFileSync(join(this.folder, 'ca.pem'), 'utf8'),
      privateKeyPem: readFileSync(join(this.folder, 'ca.key'), 'utf8'),
    };
  }

  #credentialsOf(identity: string) {
    for (const { endpoint, kind, ...device } of this.devices.values()) {
      if (identity === device.identity)
        return [{ identity, endpoint, kind, psk: device.psk, bootstrap: false }];
      if (identity === device.bootstrapIdentity) {
        return [{ identity, endpoint, kind, psk: device.bootstrapPsk, bootstrap: true }];
      }
    }
    return [];
  }
}
