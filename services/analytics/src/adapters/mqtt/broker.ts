import { mkdirSync } from 'node:fs';
import { constants } from 'node:crypto';
import type { EventEmitter } from 'node:events';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import createLevelPersistence from 'aedes-persistence-level';
import { ClassicLevel } from 'classic-level';
import type { EventLog } from '@sefleet/observability';
import type { TlsFiles } from '@sefleet/service';
import { analyticsError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import { PacketSizeGuard } from './packet-size-guard.ts';
import { identityOf, type MqttIdentity } from './peer-identity.ts';
import { isRecordTopic, maySubscribe, mayPublish } from './topic-rules.ts';

export interface BrokerOptions {
  readonly address: string;
  readonly port: number;
  readonly tls: TlsFiles;
  /** Where sessions, subscriptions and undelivered messages of subscribers are kept. */
  readonly folder: string;
  readonly maxClients: number;
  readonly maxPacketBytes: number;
  readonly log: EventLog;
  /** Takes a message over; its publisher is acknowledged after that. */
  readonly keep: (topic: string, payload: Uint8Array) => Promise<void>;
}

/** The embedded broker. */
export interface Broker {
  readonly port: number;
  readonly clients: number;
  /** Connections that were refused since the start. */
  readonly refused: number;
  close(): Promise<void>;
}

/** From the TCP connection to the end of the TLS handshake, and from there to CONNECT. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A subscriber that reads nothing for this long is cut off: it would hold up every publisher. */
const DRAIN_TIMEOUT_MS = 10_000;
const MAX_CLIENT_ID_LENGTH = 256;
const NOT_AUTHORIZED = 5;

/**
 * MQTT 3.1 and 3.1.1 over TLS 1.2 or 1.3, for clients with a certificate of our authority: who a client is
 * and what it may do follows from the certificate, never from a user name.
 *
 * @throws SefleetError `ANALYTICS_PORT_IN_USE` or `ANALYTICS_QUEUE_UNAVAILABLE`.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { log } = options;
  const db = await openSessions(options.folder);
  const identities = new WeakMap<object, MqttIdentity>();
  let refused = 0;
  const refuse = (reason: string, facts: Readonly<Record<string, unknown>> = {}): void => {
    refused++;
    log.count(`mqtt.refused.${reason}`);
    log.emit(EVENTS.clientRefused, { reason, ...facts });
  };
  const aedes = new Aedes({
    persistence: createLevelPersistence(db),
    connectTimeout: HANDSHAKE_TIMEOUT_MS,
    drainTimeout: DRAIN_TIMEOUT_MS,
    maxClientsIdLength: 2 * MAX_CLIENT_ID_LENGTH,
    ...rulesOf(identities, options),
  });
  aedes.on('clientError', (client, error) => log.count(`mqtt.clientError.${labelOf(error, client)}`));
  aedes.on('connectionError', (_client, error) => refuse('connect', { error: error.message }));
  // The type of `on` lists the events of clients and leaves out the emitter's own.
  (aedes as EventEmitter).on('error', (error: unknown) => log.emit(EVENTS.brokerError, { error }));
  forgetLateClients(aedes);
  await aedes.listen();
  let clients = 0;
  const server = createMqttServer(options, refuse, (socket, identity) => {
    identities.set(socket, identity);
    clients++;
    socket.once('close', () => clients--);
    aedes.handle(socket);
  });
  const port = await listen(server, options);
  return {
    port,
    get clients() {
      return clients;
    },
    get refused() {
      return refused;
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await closed;
      await db.close();
    },
  };
}

type Rules = Required<
  Pick<
    NonNullable<ConstructorParameters<typeof Aedes>[0]>,
    'preConnect' | 'authenticate' | 'authorizePublish' | 'authorizeSubscribe'
  >
>;

/**
 * A connection that ends while aedes still looks up its session is registered after its end, and would stay.
 */
function forgetLateClients(aedes: Aedes): void {
  // Public in the module, missing in its types.
  const broker = aedes as Aedes & { unregisterClient(client: Client): void };
  aedes.on('client', (client) => {
    if (client.closed) broker.unregisterClient(client);
  });
}

/** What a client may do. */
function rulesOf(identities: WeakMap<object, MqttIdentity>, { keep, log }: BrokerOptions): Rules {
  const identityOfClient = (client: Client): MqttIdentity | undefined => identities.get(client.conn);
  const forbidden = (identity: MqttIdentity | undefined, topic: string): Error => {
    log.emit(EVENTS.publishForbidden, { identity, topic: topic.slice(0, MAX_CLIENT_ID_LENGTH) });
    return analyticsError('ANALYTICS_MQTT_FORBIDDEN', 'the topic is not the client’s own');
  };
  return {
    preConnect: (client, packet, done) => {
      const identity = identityOfClient(client);
      if (identity === undefined || packet.clientId.length > MAX_CLIENT_ID_LENGTH) {
        return done(analyticsError('ANALYTICS_MQTT_PROTOCOL', 'the client identifier is too long'), false);
      }
      if (packet.will !== undefined && !mayPublish(identity, packet.will.topic)) {
        return done(forbidden(identity, packet.will.topic), false);
      }
      packet.clientId = clientIdOf(identity, packet.clientId);
      return done(null, true);
    },
    authenticate: (client, _name, _password, done) => {
      if (identityOfClient(client) !== undefined) return done(null, true);
      const error = analyticsError('ANALYTICS_MQTT_FORBIDDEN', 'no certificate of ours');
      return done(Object.assign(error, { returnCode: NOT_AUTHORIZED }) satisfies AuthenticateError, null);
    },
    authorizePublish: (client, packet, done) => {
      const identity = client === null ? undefined : identityOfClient(client);
      // Without a client it is the will of one that was checked when it connected.
      if (client !== null && (identity === undefined || !mayPublish(identity, packet.topic))) {
        return done(forbidden(identity, packet.topic));
      }
      if (!isRecordTopic(packet.topic)) return done(null);
      // A reading is an event: kept until stored, not retained for later subscribers.
      packet.retain = false;
      keep(packet.topic, Buffer.from(packet.payload)).then(() => done(null), done);
    },
    authorizeSubscribe: (client, subscription, done) => {
      const identity = identityOfClient(client);
      if (identity !== undefined && maySubscribe(identity, subscription.topic))
        return done(null, subscription);
      log.emit(EVENTS.publishForbidden, {
        identity,
        filter: subscription.topic.slice(0, MAX_CLIENT_ID_LENGTH),
      });
      // Null refuses this one subscription with 0x80 and keeps the connection.
      return done(null, null);
    },
  };
}

function createMqttServer(
  { tls, maxClients, maxPacketBytes }: BrokerOptions,
  refuse: (reason: string, facts?: Readonly<Record<string, unknown>>) => void,
  accept: (socket: TLSSocket, identity: MqttIdentity) => void,
): Server {
  const server = createServer({
    ca: tls.authority,
    cert: tls.certificate,
    key: tls.privateKey,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // A resumed session would not carry the client's certificate chain, and with it not its identity.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  server.maxConnections = maxClients;
  server.on('drop', () => refuse('full'));
  server.on('tlsClientError', (error) => refuse('tls', { code: 'code' in error ? error.code : undefined }));
  server.on('secureConnection', (socket) => {
    const identity = identityOf(socket);
    if (identity === undefined) {
      refuse('identity');
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    guardPackets(socket, new PacketSizeGuard(maxPacketBytes), () => refuse('packetTooLarge'));
    accept(socket, identity);
  });
  return server;
}

/** Looks at what is read before the broker does: it would buffer whatever length a packet announces. */
function guardPackets(socket: TLSSocket, guard: PacketSizeGuard, onViolation: () => void): void {
  const read = socket.read.bind(socket);
  socket.read = (size?: number): Buffer | null => {
    // A socket without encoding reads bytes, although its type leaves it open.
    const data = read(size) as Buffer | null;
    if (data === null || guard.accept(data)) return data;
    onViolation();
    socket.destroy(analyticsError('ANALYTICS_MQTT_PROTOCOL', 'a packet is larger than the limit'));
    return null;
  };
}

async function openSessions(folder: string): Promise<ClassicLevel> {
  try {
    mkdirSync(folder, { recursive: true });
    const db = new ClassicLevel(folder);
    await db.open();
    return db;
  } catch (cause) {
    throw analyticsError('ANALYTICS_QUEUE_UNAVAILABLE', `cannot open the broker's sessions in ${folder}`, {
      cause,
      hint: 'Look for a second process on the same data folder (SEFLEET_DATA), or for a full disk.',
    });
  }
}

function listen(server: Server, { address, port }: BrokerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        analyticsError('ANALYTICS_PORT_IN_USE', `cannot listen for MQTT on ${address}:${port}`, {
          cause,
          hint: 'Set SEFLEET_MQTT_PORT to a free port, or end what listens there.',
        }),
      ),
    );
    server.listen(port, address, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}

/**
 * The client identifier that counts, so that nobody takes over another's session. A device has one session,
 * whatever it calls itself: sessions are kept, and their number must not be a device's to choose.
 */
function clientIdOf(identity: MqttIdentity, asked: string): string {
  if (identity.role === 'device') return identity.endpoint;
  return asked === '' ? '' : `service:${identity.name}/${asked}`;
}

function labelOf(error: Error, client: Client): string {
  if ('code' in error && error.code === 'ANALYTICS_MQTT_FORBIDDEN') return 'forbidden';
  return client.closed ? 'closed' : 'other';
}
