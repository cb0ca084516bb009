import { connect, type MqttClient } from 'mqtt';
import { encodeRecordBatch, MAX_BATCH_RECORDS } from '@sefleet/cose';
import type { Runtime, Timer } from '@sefleet/runtime';
import type { Gate } from '../fleet/gate.ts';
import { simulationError } from '../errors.ts';
import type { RecordCarrier } from './record-carrier.ts';
import type { SessionCredential } from './session-certificate.ts';

/** What the MQTT connections of a fleet have in common. */
export interface MqttFleetOptions {
  readonly runtime: Runtime;
  /** `mqtts://host:port`. */
  readonly url: string;
  /** Certificate of the authority that the broker's certificate comes from, PEM. */
  readonly authority: Uint8Array;
  /** Bounds the TLS handshakes that are under way. */
  readonly gate: Gate;
  readonly events: MqttEvents;
}

/** What connections tell. */
interface MqttEvents {
  connected(): void;
  disconnected(): void;
  /** An attempt to connect failed. */
  failed(error: unknown): void;
}

/** One device's part. */
export interface MqttDeviceOptions {
  readonly endpoint: string;
  readonly topic: string;
  /** A credential for the next session. */
  credential(): SessionCredential | Promise<SessionCredential>;
}

const CONNECT_TIMEOUT_MS = 15_000;
const KEEPALIVE_SECONDS = 30;
const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 8000;
/** A publication that is not acknowledged within it is given up with its connection. */
const ACKNOWLEDGE_TIMEOUT_MS = 20_000;
/** A credential that ends sooner than this is replaced before a new connection. */
const CREDENTIAL_MARGIN_MS = 60_000;

/**
 * Sealed records by MQTT 3.1.1 over mutual TLS, acknowledged by PUBACK (QoS 1); the broker answers when they
 * are safe.
 */
export class MqttCarrier implements RecordCarrier {
  readonly maxRecords: number = Math.min(32, MAX_BATCH_RECORDS);
  readonly maxBytes = 8192;
  readonly #fleet: MqttFleetOptions;
  readonly #device: MqttDeviceOptions;
  #client: MqttClient | undefined;
  #credential: SessionCredential | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #ready = false;
  #stopped = true;
  #becameReady: () => void = () => undefined;
  /** Rejects what is under way when the connection ends. */
  #pending: ((error: Error) => void) | undefined;

  constructor(fleet: MqttFleetOptions, device: MqttDeviceOptions) {
    this.#fleet = fleet;
    this.#device = device;
  }

  get ready(): boolean {
    return this.#ready;
  }

  start(becameReady: () => void): void {
    this.#becameReady = becameReady;
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#connectSoon(0);
  }

  /** All have one addressee: the broker. */
  together(sealed: readonly Uint8Array[]): number {
    return sealed.length;
  }

  deliver(sealed: readonly Uint8Array[]): Promise<void> {
    const client = this.#client;
    if (client === undefined || !this.#ready) return Promise.reject(disconnected());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timeout = this.#fleet.runtime.timers.after(ACKNOWLEDGE_TIMEOUT_MS, () => client.end(true));
    this.#pending = reject;
    const settle = (error?: Error | null): void => {
      timeout.cancel();
      this.#pending = undefined;
      if (error === undefined || error === null) resolve();
      else reject(disconnected(error));
    };
    client.publish(this.#device.topic, Buffer.from(encodeRecordBatch(sealed)), { qos: 1 }, settle);
    return promise;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#client?.endAsync();
  }

  #connectSoon(delayMs: number): void {
    this.#timer = this.#fleet.runtime.timers.after(delayMs, () => {
      this.#fleet.gate
        .run(() => this.#connect())
        .catch((error: unknown) => {
          // A card that makes no credential now, because somebody has locked it, may make one later.
          this.#fleet.events.failed(error);
          this.#connectLater();
        });
    });
  }

  #connectLater(): void {
    if (this.#stopped) return;
    const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    this.#connectSoon(ceilingMs * (0.5 + this.#fleet.runtime.rng.fraction() / 2));
  }

  /** Resolves when the connection stands or has failed, so that the gate lets in the next. */
  async #connect(): Promise<void> {
    const credential = await this.#validCredential();
    if (this.#stopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const client = this.#open(credential);
    this.#client = client;
    client.on('connect', () => {
      this.#ready = true;
      this.#failures = 0;
      this.#fleet.events.connected();
      resolve();
      this.#becameReady();
    });
    let reason: unknown;
    client.on('error', (error) => {
      reason = error;
    });
    client.on('close', () => {
      resolve();
      // A broker that refuses a certificate after the handshake just ends the connection.
      if (!this.#ready && !this.#stopped) this.#fleet.events.failed(disconnected(reason));
      this.#closed(client);
    });
    await promise;
  }

  #open({ certificateChainPem, privateKeyPem }: SessionCredential): MqttClient {
    const { url, authority } = this.#fleet;
    return connect(url, {
      protocolVersion: 4,
      clientId: this.#device.endpoint,
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      // Coming back is ours: with a credential that may be a new one, and not all devices at once.
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // Otherwise the library keeps a buffer for each of 65,536 numbers: 7 MiB.
      writeCache: false,
      ca: Buffer.from(authority),
      cert: certificateChainPem,
      key: privateKeyPem,
      rejectUnauthorized: true,
    });
  }

  async #validCredential(): Promise<SessionCredential> {
    const untilMs = this.#fleet.runtime.clock.wallMs() + CREDENTIAL_MARGIN_MS;
    if (this.#credential === undefined || this.#credential.notAfterMs < untilMs) {
      this.#credential = await this.#device.credential();
    }
    return this.#credential;
  }

  #closed(client: MqttClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.end(true);
    client.removeAllListeners();
    // An error that comes late is nobody's business any more, but without a listener it would end the
    // process.
    client.on('error', () => undefined);
    this.#pending?.(disconnected());
    this.#pending = undefined;
    if (this.#ready) this.#fleet.events.disconnected();
    this.#ready = false;
    this.#connectLater();
  }
}

function disconnected(cause?: unknown): Error {
  return simulationError('SIM_BROKER_UNAVAILABLE', 'the connection with the broker is gone', { cause });
}
