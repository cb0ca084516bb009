import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { fleet, provisioning, telemetry } from '@sefleet/api';
import { deriveRecordKey, sealTelemetryRecord, type RecordTopicKind } from '@sefleet/cose';
import { createEventLog } from '@sefleet/observability';
import { issueCertificate, type Credential } from '@sefleet/pki';
import {
  createGrpcClient,
  ensureLocalPki,
  readTlsFiles,
  serve,
  startGrpcServer,
  type GrpcClient,
  type GrpcServer,
  type ServedService,
  type TlsFiles,
} from '@sefleet/service';

const MAIN = new URL('../../../services/analytics/src/main.ts', import.meta.url).pathname;
const DAY_MS = 86_400_000;
const CONDITION_TIMEOUT_MS = 60_000;

export const STAKEHOLDER = 'northern-power';
export const MASTER_KEY = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');

/** What an analytics process said when it was ready. */
interface ReadyMessage {
  readonly grpcPort: number;
  /** Absent with a broker that is not the embedded one. */
  readonly mqttPort?: number;
  readonly consolePort?: number;
}

export interface AnalyticsOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** Services that analytics asks; they stand where provisioning and the LwM2M server would. */
  readonly neighbours?: readonly ServedService[];
}

/** One analytics process with what it needs around it, in a folder of its own. */
export class AnalyticsProcess {
  readonly folder: string;
  readonly #environment: Record<string, string>;
  readonly #provisioning: GrpcServer;
  #child: ChildProcess | undefined;
  #ready: ReadyMessage | undefined;
  readonly #clients: { close(): void }[] = [];
  log = '';

  private constructor(folder: string, provisioningServer: GrpcServer, environment: Record<string, string>) {
    this.folder = folder;
    this.#provisioning = provisioningServer;
    this.#environment = environment;
  }

  static async start({
    environment = {},
    neighbours = [],
  }: AnalyticsOptions = {}): Promise<AnalyticsProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'sefleet-analytics-'));
    await ensureLocalPki(join(folder, 'pki'), ['analytics', 'provisioning', 'cli', 'lwm2m-server']);
    const provisioningServer = await startGrpcServer({
      address: '127.0.0.1',
      port: 0,
      tls: readTlsFiles(join(folder, 'pki'), 'provisioning'),
      services: [
        serve(provisioning.RecordKeyService, { listRecordKeys: () => ({ keys: masterKeys() }) }),
        ...neighbours,
      ],
      log: createEventLog({ service: 'provisioning', level: 'silent' }),
    });
    const analytics = new AnalyticsProcess(folder, provisioningServer, {
      SEFLEET_DATA: folder,
      SEFLEET_PKI: join(folder, 'pki'),
      SEFLEET_MQTT_PORT: '0',
      SEFLEET_CONSOLE_PORT: '0',
      SEFLEET_PROVISIONING_TARGET: `127.0.0.1:${provisioningServer.port}`,
      ...(neighbours.length > 0 ? { SEFLEET_LWM2M_TARGET: `127.0.0.1:${provisioningServer.port}` } : {}),
      SEFLEET_INGEST_LINGER_MS: '20',
      ...environment,
    });
    try {
      await analytics.launch();
      return analytics;
    } catch (error) {
      await analytics.stop();
      throw error;
    }
  }

  get ready(): ReadyMessage {
    if (this.#ready === undefined) throw new RangeError('analytics is not ready');
    return this.#ready;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts the process; on a port it had before when there was one. */
  async launch(environment: Readonly<Record<string, string>> = {}): Promise<void> {
    const port = this.#ready?.mqttPort;
    const mqttPort = port === undefined ? {} : { SEFLEET_MQTT_PORT: `${port}` };
    const child = spawn(process.execPath, [MAIN], {
      env: { PATH: process.env['PATH'] ?? '', ...this.#environment, ...mqttPort, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stdout?.on('data', (data: Buffer) => (this.log += data.toString()));
    child.stderr?.on('data', (data: Buffer) => (this.log += data.toString()));
    this.#ready = await new Promise<ReadyMessage>((resolve, reject) => {
      child.once('message', (message) => resolve(message as ReadyMessage));
      child.once('exit', (code) => reject(new RangeError(`analytics ended with ${code}: ${this.log}`)));
    });
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    child.kill(signal);
    return ended;
  }

  tls(name = 'cli'): TlsFiles {
    return readTlsFiles(join(this.folder, 'pki'), name);
  }

  fleetClient(): GrpcClient<typeof fleet.FleetService> {
    const client = createGrpcClient(fleet.FleetService, `127.0.0.1:${this.ready.grpcPort}`, this.tls());
    this.#clients.push(client);
    return client;
  }

  telemetryClient(): GrpcClient<typeof telemetry.TelemetryService> {
    const client = createGrpcClient(
      telemetry.TelemetryService,
      `127.0.0.1:${this.ready.grpcPort}`,
      this.tls(),
    );
    this.#clients.push(client);
    return client;
  }

  authority(): Credential {
    const pki = join(this.folder, 'pki');
    return {
      certificatePem: readFileSync(join(pki, 'ca.pem'), 'utf8'),
      privateKeyPem: readFileSync(join(pki, 'ca.key'), 'utf8'),
    };
  }

  mqtt(options: IClientOptions): MqttClient {
    const client = connect(`mqtts://localhost:${this.ready.mqttPort}`, {
      ca: this.tls().authority,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ...options,
    });
    this.#clients.push({ close: () => client.end(true) });
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.kill('SIGTERM');
    await this.#provisioning.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function masterKeys(): provisioning.RecordMasterKey[] {
  const createdAt = timestampFromMs(Date.now());
  const key = { stakeholder: STAKEHOLDER, keyVersion: 1, masterKey: MASTER_KEY, createdAt };
  return [create(provisioning.RecordMasterKeySchema, key)];
}

/** A device certificate that may sign session certificates, as a card's key pair gets it. */
export function deviceCredential(authority: Credential, endpoint: string): Promise<Credential> {
  return issueCertificate(authority, {
    ...validity(),
    commonName: endpoint,
    clientAuth: true,
    pathLength: 0,
  });
}

/** A short-lived certificate that the device's own key signed; `commonName` is whatever the device claims. */
export async function sessionCredential(
  device: Credential,
  commonName: string,
  organisation = 'sefleet',
): Promise<{ cert: string; key: string }> {
  const session = await issueCertificate(device, {
    ...validity(),
    commonName,
    organisation,
    clientAuth: true,
  });
  return { cert: `${session.certificatePem}\n${device.certificatePem}`, key: session.privateKeyPem };
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
}

export interface TestRecord {
  readonly endpoint: string;
  readonly sequence: number;
  readonly kind?: RecordTopicKind;
  readonly keyVersion?: number;
  readonly values?: readonly (readonly [number, number])[];
}

const derived = new Map<string, Uint8Array>();

export function sealed({ endpoint, sequence, keyVersion = 1, values = [[32, 50]] }: TestRecord): Uint8Array {
  const recordKey = derived.get(endpoint) ?? deriveRecordKey(MASTER_KEY, endpoint);
  derived.set(endpoint, recordKey);
  const record = { sequence, timestampMs: Date.now(), values };
  return sealTelemetryRecord({ endpoint, stakeholder: STAKEHOLDER, keyVersion, recordKey, record });
}

/** Waits for a condition, without counting on any delay. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + CONDITION_TIMEOUT_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new RangeError(`never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** The next event of this name; an error of the client does not reject. */
export function next(client: MqttClient, event: 'connect' | 'close'): Promise<void> {
  return new Promise((resolve) => client.once(event, () => resolve()));
}
