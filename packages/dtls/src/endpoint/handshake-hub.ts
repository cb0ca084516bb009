import { bytesEqual, toHex } from '@sefleet/bytes';
import type { AddressableChannel, Peer, Runtime } from '@sefleet/runtime';
import type { WireRecord } from '../codec/record.ts';
import { ContentType, RANDOM_LENGTH } from '../constants.ts';
import type { KeyAgreementProvider } from '../credentials/key-providers.ts';
import { createSoftwareKeyAgreement } from '../credentials/software-key-agreement.ts';
import { nodeRecordCipher } from '../crypto/node-record-cipher.ts';
import { dtlsError, type HandshakeFailure } from '../errors.ts';
import { ClientFlow } from '../handshake/client-flow.ts';
import {
  Handshake,
  type HandshakeHost,
  type HandshakeOutcome,
  type HandshakeRest,
} from '../handshake/handshake.ts';
import { ServerFlow, type ServerContext } from '../handshake/server-flow.ts';
import { Session } from '../session/session.ts';
import {
  DEFAULT_FLIGHT_TIMERS,
  type DtlsClientSettings,
  type DtlsEndpointOptions,
  type DtlsEvents,
  type DtlsLimits,
} from '../settings.ts';
import { ClientHelloDoor } from './client-hello-door.ts';
import type { Counters } from './counters.ts';
import { HandshakeTable } from './handshake-table.ts';
import type { SessionHub } from './session-hub.ts';

interface Waiter {
  readonly resolve: (peer: Peer) => void;
  readonly reject: (error: Error) => void;
}

/** 72 random bits, in hexadecimal: unique among all sessions of a fleet, restarts included. */
const SESSION_KEY_LENGTH = 9;

/** The handshakes under way of an endpoint, from the first ClientHello to the session or the failure. */
export class HandshakeHub {
  readonly table: HandshakeTable;
  readonly #options: DtlsEndpointOptions;
  readonly #limits: DtlsLimits;
  readonly #channel: AddressableChannel;
  readonly #runtime: Runtime;
  readonly #events: DtlsEvents;
  readonly #counters: Counters;
  readonly #sessions: SessionHub;
  readonly #keyAgreement: KeyAgreementProvider;
  readonly #waiters = new Map<Handshake, Waiter>();
  readonly #host: HandshakeHost;
  readonly #door: ClientHelloDoor | undefined;
  readonly #server: ServerContext | undefined;

  constructor(options: DtlsEndpointOptions, limits: DtlsLimits, counters: Counters, sessions: SessionHub) {
    this.#options = options;
    this.#limits = limits;
    this.#channel = options.channel;
    this.#runtime = options.runtime;
    this.#events = options.events ?? {};
    this.#counters = counters;
    this.#sessions = sessions;
    this.#keyAgreement = options.keyAgreement ?? SOFTWARE_KEY_AGREEMENT;
    this.table = new HandshakeTable(limits);
    this.#host = this.#createHost();
    if (options.server === undefined) return;
    this.#door = new ClientHelloDoor(options.runtime);
    this.#server = {
      settings: options.server,
      keyAgreement: this.#keyAgreement,
      recordSizeLimit: options.recordSizeLimit,
      returnRoutability: options.returnRoutability === true,
      newCid: () => this.#newCid(),
    };
  }

  /** Runs a client's handshake. */
  async connect(address: string, port: number, settings: DtlsClientSettings): Promise<Peer> {
    const link = this.#channel.peerAt(address, port);
    if (this.table.atAddress(link.key) !== undefined) {
      throw dtlsError('DTLS_SETTINGS', 'a handshake with this address is under way', {
        context: { address, port },
      });
    }
    const context = {
      groups: this.#keyAgreement.groups,
      receiveCid: this.#newCid(),
      recordSizeLimit: this.#options.recordSizeLimit,
      returnRoutability: this.#options.returnRoutability === true,
    };
    const start = { messageSeq: 0, recordSequence: 0 };
    const handshake = new Handshake(this.#host, link, 'client', start, (self) => {
      return new ClientFlow(self, settings, this.#keyAgreement, context);
    });
    this.table.add(handshake);
    return await new Promise<Peer>((resolve, reject) => {
      this.#waiters.set(handshake, { resolve, reject });
      handshake.start();
    });
  }

  /** An unprotected record. */
  receivePlain(record: WireRecord, from: Peer): void {
    const handshake = this.table.atAddress(from.key);
    if (record.type === ContentType.handshake && this.#door !== undefined && handshake?.role !== 'client') {
      const knock = this.#door.knock(record, from);
      if (knock.kind === 'answer') {
        this.#counters.add('cookies.sent');
        this.#channel.send(knock.datagram, from);
        return;
      }
      if (
        knock.kind === 'verified' &&
        this.#sessions.table.atAddress(from.key)?.helloTag === tagOf(knock.clientRandom)
      ) {
        // Its handshake is complete: the network delivered it twice, or somebody recorded it.
        this.#sessions.drop('repeatedHello');
        return;
      }
      if (knock.kind === 'verified' && !belongsTo(handshake, knock.clientRandom)) {
        this.#accept(record, from, knock.messageSeq, handshake);
        return;
      }
    }
    if (handshake === undefined) this.#sessions.drop('noHandshake');
    else handshake.receivePlain(record);
  }

  /** A client whose address is proven; an earlier attempt from there gives way. RFC 6347 §4.2.8. */
  #accept(record: WireRecord, from: Peer, messageSeq: number, earlier: Handshake | undefined): void {
    const server = this.#server;
    if (server === undefined) return;
    if (earlier !== undefined) {
      this.table.remove(earlier);
      earlier.dispose();
    }
    const { maxSessions, staleSessionMs } = this.#limits;
    if (!this.table.hasRoomFor(from.address) || !this.#sessions.makeRoom(maxSessions, staleSessionMs)) {
      this.#sessions.drop('limit');
      return;
    }
    const start = { messageSeq, recordSequence: record.sequence };
    const handshake = new Handshake(
      this.#host,
      from,
      'server',
      start,
      (self) => new ServerFlow(self, server),
    );
    this.table.add(handshake);
    handshake.start();
    handshake.receivePlain(record);
  }

  #createHost(): HandshakeHost {
    const { keyLog, mtu, flightTimers, recordCipher = nodeRecordCipher } = this.#options;
    return {
      runtime: this.#runtime,
      recordCipher,
      limits: this.#limits,
      flightTimers: { ...DEFAULT_FLIGHT_TIMERS, ...flightTimers },
      reassemblyBudget: { used: 0, max: this.#limits.maxReassemblyInAll },
      mtuTo: (link) => mtu ?? this.#channel.maxPayload(link),
      transmit: (datagram, link) => this.#channel.send(datagram, link),
      logSecret: (random, secret) => keyLog?.(`CLIENT_RANDOM ${toHex(random)} ${toHex(secret)}`),
      cidChosen: (handshake, cid) => this.table.nameCid(handshake, cid),
      established: (handshake, outcome, rest) => this.#onEstablished(handshake, outcome, rest),
      failed: (handshake, failure) => this.#onFailed(handshake, failure),
      drop: (reason) => this.#sessions.drop(reason),
    };
  }

  #onEstablished(handshake: Handshake, outcome: HandshakeOutcome, rest: HandshakeRest): void {
    this.table.remove(handshake);
    const { records, identity, ...facts } = outcome;
    const key = `dtls:${toHex(this.#runtime.rng.bytes(SESSION_KEY_LENGTH))}`;
    const nowMs = this.#runtime.clock.monotonicMs();
    const session = new Session(key, handshake.link, { identity, records, facts }, nowMs);
    if (handshake.role === 'server' && handshake.clientRandom !== undefined) {
      session.helloTag = tagOf(handshake.clientRandom);
    }
    this.#sessions.add(session);
    if (rest.lastFlight !== undefined) {
      // Longer than a peer waits between two repetitions of its flight.
      const graceMs = this.#host.flightTimers.maxTimeoutMs * 2;
      this.#sessions.keepLastFlight(session, rest.lastFlight, graceMs);
    }
    this.#counters.add('handshakes.completed');
    this.#counters.add(`handshakes.${facts.resumed ? 'resumed' : 'full'}`);
    this.#counters.add(`cipherSuite.${records.suite.name}`);
    this.#events.sessionEstablished?.(session, session.info());
    this.#waiters.get(handshake)?.resolve(session);
    this.#waiters.delete(handshake);
    for (const content of rest.early) {
      this.#sessions.receiveContent(session, { type: ContentType.application_data, content }, session.link);
    }
  }

  #onFailed(handshake: Handshake, failure: HandshakeFailure): void {
    this.table.remove(handshake);
    const { role, link, claimedIdentity: identity } = handshake;
    const { reason, alert } = failure;
    this.#counters.add('handshakes.failed');
    this.#counters.add(`handshakes.failed.${reason}`);
    this.#events.handshakeFailed?.({ role, reason, address: link.address, port: link.port, identity, alert });
    this.#waiters.get(handshake)?.reject(failure);
    this.#waiters.delete(handshake);
  }

  #newCid(): Uint8Array | undefined {
    const length = this.#options.connectionIdLength;
    if (length === undefined) return undefined;
    for (;;) {
      const cid = this.#runtime.rng.bytes(length);
      const taken = this.#sessions.table.withCid(cid) !== undefined || this.table.withCid(cid) !== undefined;
      if (length === 0 || !taken) return cid;
    }
  }
}

const SOFTWARE_KEY_AGREEMENT = createSoftwareKeyAgreement();

/** Four random bytes of a ClientHello, enough to know it again at one address. */
function tagOf(clientRandom: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = clientRandom.subarray(RANDOM_LENGTH - 4);
  return a * 0x1000000 + b * 0x10000 + c * 0x100 + d;
}

/** A ClientHello goes to the handshake that it started; one with another random starts anew. */
function belongsTo(handshake: Handshake | undefined, clientRandom: Uint8Array): boolean {
  if (handshake === undefined) return false;
  const known = handshake.clientRandom;
  return known === undefined || bytesEqual(known, clientRandom);
}
