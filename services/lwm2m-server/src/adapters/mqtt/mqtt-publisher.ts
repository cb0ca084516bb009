import { randomUUID } from 'node:crypto';
import { connect } from 'mqtt';
import type { MqttClient } from 'mqtt';
import type { EventLog } from '@sefleet/observability';
import type { TlsFiles } from '@sefleet/service';
import type { RecordPublisher } from '../../domain/record-forwarder.ts';
import { EVENTS } from '../../events.ts';

const RECONNECT_MS = 500;
const KEEPALIVE_SECONDS = 30;

/** Publishes with QoS 1 over mutual TLS; connects in the background and again after a loss. */
export class MqttPublisher implements RecordPublisher {
  readonly #client: MqttClient;
  readonly #maxPublishing: number;
  readonly #log: EventLog;
  #publishing = 0;
  #lost = false;

  constructor(url: string, tls: TlsFiles, maxPublishing: number, log: EventLog) {
    this.#maxPublishing = maxPublishing;
    this.#log = log;
    this.#client = connect(url, {
      // Shards in containers have the same process id; a broker ends the older session of one name.
      clientId: `lwm2m-server-${randomUUID()}`,
      // 3.1.1: what every broker speaks; nothing of version 5 is needed here.
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_SECONDS,
      reconnectPeriod: RECONNECT_MS,
      ca: tls.authority,
      cert: tls.certificate,
      key: tls.privateKey,
    });
    this.#client.on('connect', () => {
      this.#lost = false;
      log.emit(EVENTS.brokerConnected, { url });
    });
    this.#client.on('close', () => this.#onLost());
    // Every failed attempt: `close` follows, which is what is told.
    this.#client.on('error', () => log.count('mqtt.errors'));
  }

  get ready(): boolean {
    return this.#client.connected && this.#publishing < this.#maxPublishing;
  }

  /** Messages that the broker has not acknowledged yet. */
  get publishing(): number {
    return this.#publishing;
  }

  publish(topic: string, payload: Uint8Array): Promise<boolean> {
    this.#publishing++;
    return new Promise((resolve) => {
      const message = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      this.#client.publish(topic, message, { qos: 1 }, (error) => {
        this.#publishing--;
        if (error !== null && error !== undefined) this.#log.count('mqtt.publishFailed');
        resolve(error === null || error === undefined);
      });
    });
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }

  #onLost(): void {
    if (this.#lost) return;
    this.#lost = true;
    this.#log.emit(EVENTS.brokerLost, { publishing: this.#publishing });
  }
}
