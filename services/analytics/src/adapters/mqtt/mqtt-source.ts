import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import mqttPacket, { type Packet, type Parser } from 'mqtt-packet';
import { RECORD_TOPIC_FILTER } from '@sefleet/cose';
import type { EventLog } from '@sefleet/observability';
import type { TlsFiles } from '@sefleet/service';
import type { RecordMessage, RecordSource } from '../../domain/ports.ts';
import { analyticsError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import { PacketSizeGuard } from './packet-size-guard.ts';

export interface MqttSourceOptions {
  readonly url: string;
  readonly tls: TlsFiles;
  readonly log: EventLog;
  readonly maxPacketBytes: number;
}

interface ReceivedMessage extends RecordMessage {
  readonly socket: Socket;
  readonly messageId: number | undefined;
}

/**
 * Messages that may be under way unacknowledged (MQTT 5 receive maximum): a few batches. The broker keeps the
 * rest.
 */
const RECEIVE_MAXIMUM = 8192;
const CLIENT_ID = 'sefleet-analytics';
const KEEP_ALIVE_SECONDS = 30;
/** As long as the broker is willing to keep the session. */
const SESSION_EXPIRY_SECONDS = 0xffff_ffff;
const FIRST_RETRY_MS = 200;
const LAST_RETRY_MS = 10_000;
const SUBSCRIBE_ID = 1;

/**
 * Messages from an MQTT 5 broker of the user's, through a persistent session at QoS 1. It speaks the
 * protocol's packets itself because a message has to be acknowledged when ClickHouse has it, hundreds of
 * others later, which client libraries that acknowledge before they read on cannot do.
 */
export class MqttSource implements RecordSource {
  readonly #options: MqttSourceOptions;
  #socket: Socket | undefined;
  #messages: ReceivedMessage[] = [];
  #retryMs = FIRST_RETRY_MS;
  #retry: NodeJS.Timeout | undefined;
  #ping: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #closed = false;

  /** Connects, and again after a loss, until it is closed. */
  constructor(options: MqttSourceOptions) {
    this.#options = options;
    this.#connect();
  }

  async read(limit: number, waitMs: number): Promise<readonly RecordMessage[]> {
    if (this.#messages.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, waitMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#messages.splice(0, limit);
  }

  acknowledge(messages: readonly RecordMessage[]): Promise<void> {
    for (const message of messages) {
      // What came over a connection that is gone is delivered again, and recognised by its sequence number.
      if (!isReceived(message) || message.socket !== this.#socket || message.messageId === undefined)
        continue;
      send(message.socket, { cmd: 'puback', messageId: message.messageId, reasonCode: 0 });
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#wake?.();
    if (this.#socket !== undefined) {
      send(this.#socket, { cmd: 'disconnect', reasonCode: 0 });
      this.#socket.end();
    }
    return Promise.resolve();
  }

  #connect(): void {
    const socket = openSocket(this.#options);
    const guard = new PacketSizeGuard(this.#options.maxPacketBytes);
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => this.#receive(packet, socket));
    parser.on('error', (error) => socket.destroy(error));
    // Without an encoding a socket gives bytes, although the type of the event leaves it open.
    socket.on('data', (data: Buffer) => feed(parser, guard, data, socket));
    socket.once(this.#options.url.startsWith('mqtts:') ? 'secureConnect' : 'connect', () => {
      send(socket, connectPacket(this.#options.maxPacketBytes));
    });
    let reason: Error | undefined;
    socket.on('error', (error) => (reason = error));
    socket.once('close', () => this.#lost(reason));
    this.#socket = socket;
  }

  #lost(error: Error | undefined): void {
    clearInterval(this.#ping);
    this.#socket = undefined;
    if (this.#closed) return;
    this.#options.log.emit(EVENTS.brokerLost, { error, retryInMs: this.#retryMs });
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }

  #receive(packet: Packet, socket: Socket): void {
    switch (packet.cmd) {
      case 'connack':
        this.#connected(packet.reasonCode ?? packet.returnCode ?? 0, packet.sessionPresent, socket);
        return;
      case 'suback':
        // MQTT 5 §3.9.3: 0x80 and above is a refusal.
        if (packet.granted.some((code) => typeof code === 'number' && code >= 0x80))
          refuse(socket, 'subscription');
        return;
      case 'publish': {
        const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
        this.#messages.push({ topic: packet.topic, payload, socket, messageId: packet.messageId });
        this.#wake?.();
        return;
      }
      case 'disconnect':
        refuse(socket, `session with reason ${packet.reasonCode ?? 0}`);
        return;
      default:
    }
  }

  #connected(reasonCode: number, sessionPresent: boolean, socket: Socket): void {
    if (reasonCode !== 0) {
      refuse(socket, `connection with reason ${reasonCode}`);
      return;
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.#options.log.emit(EVENTS.brokerConnected, { sessionPresent });
    send(socket, {
      cmd: 'subscribe',
      messageId: SUBSCRIBE_ID,
      subscriptions: [{ topic: RECORD_TOPIC_FILTER, qos: 1 }],
    });
    this.#ping = setInterval(() => send(socket, { cmd: 'pingreq' }), KEEP_ALIVE_SECONDS * 500);
    // The answer to a ping is the least that has to come.
    socket.setTimeout(KEEP_ALIVE_SECONDS * 1500, () => socket.destroy());
  }
}

function openSocket({ url, tls }: MqttSourceOptions): Socket {
  const { hostname, port, protocol } = new URL(url);
  if (protocol === 'mqtt:') return connectTcp({ host: hostname, port: Number(port || 1883) });
  return connectTls({
    host: hostname,
    // A TLS server name is never an IP address (RFC 6066 §3): such a broker's certificate is checked for
    // localhost.
    servername: isIP(hostname) === 0 ? hostname : 'localhost',
    port: Number(port || 8883),
    ca: tls.authority,
    cert: tls.certificate,
    key: tls.privateKey,
    minVersion: 'TLSv1.2',
  });
}

function connectPacket(maximumPacketSize: number): Packet {
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 5,
    clean: false,
    clientId: CLIENT_ID,
    keepalive: KEEP_ALIVE_SECONDS,
    properties: {
      sessionExpiryInterval: SESSION_EXPIRY_SECONDS,
      receiveMaximum: RECEIVE_MAXIMUM,
      maximumPacketSize,
    },
  };
}

function feed(parser: Parser, guard: PacketSizeGuard, data: Buffer, socket: Socket): void {
  if (guard.accept(data)) parser.parse(data);
  else socket.destroy(analyticsError('ANALYTICS_MQTT_PROTOCOL', 'a packet is larger than the limit'));
}

function send(socket: Socket, packet: Packet): void {
  if (socket.writable) mqttPacket.writeToStream(packet, socket, { protocolVersion: 5 });
}

function refuse(socket: Socket, what: string): void {
  socket.destroy(
    analyticsError('ANALYTICS_BROKER_UNAVAILABLE', `the MQTT broker refused the ${what}`, {
      hint: 'Check SEFLEET_MQTT_URL and what the broker lets the certificate of analytics do.',
    }),
  );
}

function isReceived(message: RecordMessage): message is ReceivedMessage {
  return 'socket' in message;
}
