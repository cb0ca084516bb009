import type { AddressableChannel, DatagramHandlers, Peer, Runtime } from '@sefleet/runtime';
import { decodeRecord, type WireRecord } from '../codec/record.ts';
import { AlertDescription, ContentType } from '../constants.ts';
import { nodeRecordCipher } from '../crypto/node-record-cipher.ts';
import type { RecordCipher } from '../crypto/record-cipher.ts';
import { dtlsError, HandshakeFailure } from '../errors.ts';
import { SECURE_EPOCH } from '../session/secure-records.ts';
import { decodeSessions, encodeSessions } from '../session/session-codec.ts';
import {
  DEFAULT_LIMITS,
  type DtlsClientSettings,
  type DtlsEndpointOptions,
  type DtlsSessionInfo,
} from '../settings.ts';
import { Counters } from './counters.ts';
import type { DtlsEndpoint } from './dtls-endpoint.ts';
import { HandshakeHub } from './handshake-hub.ts';
import { checkOptions } from './option-checks.ts';
import { contentMax, SessionHub } from './session-hub.ts';

/**
 * Makes a DTLS endpoint on a datagram channel.
 *
 * @throws SefleetError `DTLS_SETTINGS` when an option lies outside of its range
 * @example
 * const endpoint = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime: createNodeRuntime() });
 * const peer = await endpoint.connect('127.0.0.1', 5684, { psk: createSoftwarePsk('meter-1', key) });
 * endpoint.send(datagram, peer);
 */
export function createDtlsEndpoint(options: DtlsEndpointOptions): DtlsEndpoint {
  checkOptions(options);
  return new Endpoint(options);
}

class Endpoint implements DtlsEndpoint {
  readonly #channel: AddressableChannel;
  readonly #runtime: Runtime;
  readonly #mtu: number | undefined;
  readonly #cidLength: number;
  readonly #counters = new Counters();
  readonly #sessions: SessionHub;
  readonly #handshakes: HandshakeHub;
  readonly #recordCipher: RecordCipher;
  #closed = false;

  constructor(options: DtlsEndpointOptions) {
    const { channel, runtime, events = {} } = options;
    this.#channel = channel;
    this.#runtime = runtime;
    this.#mtu = options.mtu;
    this.#recordCipher = options.recordCipher ?? nodeRecordCipher;
    this.#cidLength = options.connectionIdLength ?? 0;
    this.#sessions = new SessionHub({ channel, runtime, events, counters: this.#counters });
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#handshakes = new HandshakeHub(options, limits, this.#counters, this.#sessions);
    channel.listen({ datagram: (data, from) => this.#onDatagram(data, from) });
  }

  get sessionCount(): number {
    return this.#sessions.table.size;
  }

  listen(handlers: DatagramHandlers): void {
    this.#sessions.handlers = handlers;
  }

  connect(address: string, port: number, settings: DtlsClientSettings): Promise<Peer> {
    if (!this.#closed) return this.#handshakes.connect(address, port, settings);
    return Promise.reject(dtlsError('DTLS_ENDPOINT_CLOSED', 'the endpoint is closed'));
  }

  send(data: Uint8Array, peer: Peer): void {
    this.#sessions.send(data, peer, this.#mtuTo(peer));
  }

  maxPayload(peer: Peer): number {
    const session = this.#sessions.table.withKey(peer.key);
    return session === undefined ? 0 : contentMax(session, this.#mtuTo(session.link));
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return this.#channel.localAddress();
  }

  counters(): Readonly<Record<string, number>> {
    const sessions = this.#sessions.table.size;
    return { ...this.#counters.toRecord(), sessions, 'handshakes.underWay': this.#handshakes.table.size };
  }

  closePeer(peer: Peer): void {
    const session = this.#sessions.table.withKey(peer.key);
    if (session !== undefined) this.#sessions.end(session, 'closed', AlertDescription.close_notify);
  }

  sessionInfo(peer: Peer): DtlsSessionInfo | undefined {
    return this.#sessions.table.withKey(peer.key)?.info();
  }

  resumptionState(peer: Peer): Uint8Array | undefined {
    return this.#sessions.table.withKey(peer.key)?.facts.resumption;
  }

  peers(): Iterable<Peer> {
    return this.#sessions.table.values();
  }

  exportSessions(): Uint8Array {
    const exported = encodeSessions(this.#sessions.table.values());
    this.#sessions.forget();
    return exported;
  }

  importSessions(exported: Uint8Array): readonly Peer[] {
    const nowMs = this.#runtime.clock.monotonicMs();
    const linkTo = (address: string, port: number): Peer => this.#channel.peerAt(address, port);
    const sessions = decodeSessions(exported, linkTo, this.#recordCipher, nowMs);
    for (const session of sessions) this.#sessions.table.add(session);
    return sessions;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const handshake of this.#handshakes.table.values()) {
      handshake.fail(new HandshakeFailure('shutdown', AlertDescription.user_canceled, 'the endpoint closes'));
    }
    for (const session of this.#sessions.table.values()) {
      this.#sessions.end(session, 'shutdown', AlertDescription.close_notify);
    }
    await this.#channel.close();
  }

  #onDatagram(data: Uint8Array, from: Peer): void {
    for (let offset = 0; offset < data.length && !this.#closed;) {
      const record = decodeRecord(data, offset, this.#cidLength);
      if (record === undefined) {
        this.#sessions.drop('malformed');
        return;
      }
      if (record.cid !== undefined) this.#onCidRecord(record, record.cid, from);
      else if (record.epoch === 0) this.#handshakes.receivePlain(record, from);
      else this.#onSecureRecord(record, from);
      offset = record.end;
    }
  }

  #onCidRecord(record: WireRecord, cid: Uint8Array, from: Peer): void {
    const session = this.#sessions.table.withCid(cid);
    if (session !== undefined) {
      this.#sessions.receive(session, record, from);
      return;
    }
    const handshake = this.#handshakes.table.withCid(cid);
    if (handshake === undefined || record.epoch !== SECURE_EPOCH) this.#sessions.drop('unknownCid');
    else handshake.receiveSecure(record);
  }

  #onSecureRecord(record: WireRecord, from: Peer): void {
    const session = this.#sessions.table.atAddress(from.key);
    const handshake = this.#handshakes.table.atAddress(from.key);
    // While a client comes back from the same address, data belongs to its old session still, Finished to the
    // new one.
    const forHandshake = session === undefined || record.type === ContentType.handshake;
    if (handshake !== undefined && forHandshake && record.epoch === SECURE_EPOCH)
      handshake.receiveSecure(record);
    else if (session === undefined) this.#sessions.drop('noSession');
    else this.#sessions.receive(session, record, from);
  }

  #mtuTo(link: Peer): number {
    return this.#mtu ?? this.#channel.maxPayload(link);
  }
}
