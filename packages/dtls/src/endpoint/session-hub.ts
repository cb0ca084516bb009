import type { AddressableChannel, DatagramHandlers, Peer, Runtime } from '@sefleet/runtime';
import { decodeAlert, encodeAlert } from '../codec/alert.ts';
import { decodeHandshakeFragments } from '../codec/handshake-fragment.ts';
import type { WireRecord } from '../codec/record.ts';
import { AlertDescription, AlertLevel, ContentType, HandshakeType } from '../constants.ts';
import type { PlainRecord } from '../crypto/record-protection.ts';
import type { LastFlight } from '../handshake/last-flight.ts';
import { SECURE_EPOCH } from '../session/secure-records.ts';
import type { Session } from '../session/session.ts';
import { SessionTable } from '../session/session-table.ts';
import type { DtlsEvents, SessionCloseReason } from '../settings.ts';
import type { Counters } from './counters.ts';
import { endPathCheck, PathChecks, pathFor } from './path-checks.ts';

/** The established sessions of an endpoint: opens and seals their records, moves, replaces and ends them. */
export class SessionHub {
  readonly table = new SessionTable();
  readonly #channel: AddressableChannel;
  readonly #runtime: Runtime;
  readonly #events: DtlsEvents;
  readonly #counters: Counters;
  /** Records are built here; the channel has taken what it needs when `send` returns. */
  #out = new Uint8Array(2048);
  readonly #paths: PathChecks;
  handlers: DatagramHandlers | undefined;

  constructor(world: {
    readonly channel: AddressableChannel;
    readonly runtime: Runtime;
    readonly events: DtlsEvents;
    readonly counters: Counters;
  }) {
    this.#channel = world.channel;
    this.#runtime = world.runtime;
    this.#events = world.events;
    this.#counters = world.counters;
    this.#paths = new PathChecks(world.runtime, {
      send: (session, type, content, to) => this.#sendRecord(session, type, content, to),
      move: (session, to) => this.#move(session, to),
      drop: (reason) => this.drop(reason),
    });
  }

  /** Takes a new session in. */
  add(session: Session): void {
    const earlier = this.table.atAddress(session.link.key);
    // RFC 6347 §4.2.8: the client at this address lost the old session. One that only moved away is found by
    // its CID.
    if (
      earlier !== undefined &&
      (earlier.records.receiveCid === undefined || sameIdentity(earlier, session))
    ) {
      this.end(earlier, 'replaced', undefined);
    }
    this.table.add(session);
  }

  /** Keeps our last flight at hand while the peer may ask for it again. */
  keepLastFlight(session: Session, lastFlight: LastFlight, graceMs: number): void {
    session.lastFlight = lastFlight;
    lastFlight.keep(this.#runtime.timers, graceMs, () => letGo(session));
  }

  /** Sends one datagram; `contentMax` is what fits the path. */
  send(data: Uint8Array, peer: Peer, mtu: number): void {
    const session = this.table.withKey(peer.key);
    if (session === undefined) this.drop('noSession');
    else if (data.length > contentMax(session, mtu)) this.drop('tooLarge');
    else {
      this.#counters.add('sent');
      this.#sendRecord(session, ContentType.application_data, data);
    }
  }

  /** A protected record for `session`. */
  receive(session: Session, record: WireRecord, from: Peer): void {
    if (record.epoch !== SECURE_EPOCH) {
      this.drop('unexpected');
      return;
    }
    const opened = session.records.open(record);
    if (opened.fate !== 'opened') {
      this.drop(opened.fate);
      return;
    }
    session.lastHeardMs = this.#runtime.clock.monotonicMs();
    // RFC 9146 §6: only a record newer than all others moves the session.
    if (opened.newest && session.link.key !== from.key) this.#onNewAddress(session, from, record);
    else if (opened.newest) endPathCheck(session);
    this.receiveContent(session, opened.record, from);
  }

  receiveContent(session: Session, record: PlainRecord, from: Peer): void {
    switch (record.type) {
      case ContentType.application_data:
        // The peer speaks under the new keys, so it got our last flight.
        letGo(session);
        this.#counters.add('received');
        this.handlers?.datagram(record.content, session);
        return;
      case ContentType.alert:
        this.#receiveAlert(session, record.content);
        return;
      case ContentType.handshake:
        this.#receiveLateHandshake(session, record.content);
        return;
      case ContentType.return_routability_check:
        if (session.facts.returnRoutability) this.#paths.receive(session, record.content, from);
        else this.drop('unexpected');
        return;
      default:
        this.drop('unexpected');
    }
  }

  /** Ends a session, telling the peer with `alert`, and everyone above. */
  end(session: Session, reason: SessionCloseReason, alert: number | undefined): void {
    if (!this.table.remove(session)) return;
    if (alert !== undefined) this.#sendAlert(session, AlertLevel.warning, alert);
    letGo(session);
    endPathCheck(session);
    this.#counters.add(`closed.${reason}`);
    this.handlers?.peerGone?.(session, reason);
    this.#events.sessionClosed?.(session, reason);
  }

  /** Makes sure that one more session fits, at the cost of one long silent; false when none is. */
  makeRoom(maxSessions: number, staleSessionMs: number): boolean {
    if (this.table.size < maxSessions) return true;
    const stale = this.table.stale(this.#runtime.clock.monotonicMs() - staleSessionMs);
    if (stale === undefined) return false;
    this.end(stale, 'evicted', AlertDescription.close_notify);
    return true;
  }

  /** Forgets all sessions without a word. */
  forget(): void {
    for (const session of this.table.values()) {
      letGo(session);
      endPathCheck(session);
    }
    this.table.clear();
  }

  drop(reason: string): void {
    this.#counters.add(`dropped.${reason}`);
  }

  #onNewAddress(session: Session, from: Peer, record: WireRecord): void {
    if (session.facts.returnRoutability) this.#paths.suspect(session, from, record.payload.length);
    else this.#move(session, from);
  }

  #move(session: Session, to: Peer): void {
    const { address, port } = session;
    this.table.move(session, to);
    this.#counters.add('addressChanges');
    this.#events.addressChanged?.(session, { address, port });
  }

  #receiveAlert(session: Session, content: Uint8Array): void {
    const alert = decodeAlert(content);
    if (alert === undefined) {
      this.drop('malformed');
    } else if (alert.description === AlertDescription.close_notify) {
      // RFC 5246 §7.2.1: answered in kind.
      this.end(session, 'peerClosed', AlertDescription.close_notify);
    } else if (alert.level === AlertLevel.fatal) {
      this.end(session, 'alert', undefined);
    }
  }

  /**
   * A repeated Finished is answered with our last flight, a new handshake refused. RFC 6347 §4.2.4, RFC 5746
   * §4.4.
   */
  #receiveLateHandshake(session: Session, content: Uint8Array): void {
    let first: number | undefined;
    try {
      const fragments = decodeHandshakeFragments(content);
      first = fragments[0]?.type;
      if (first === HandshakeType.finished) session.lastFlight?.receive(fragments);
    } catch {
      this.drop('malformed');
      return;
    }
    if (first !== HandshakeType.client_hello && first !== HandshakeType.hello_request) return;
    this.#counters.add('renegotiationsRefused');
    this.#sendAlert(session, AlertLevel.warning, AlertDescription.no_renegotiation);
  }

  #sendAlert(session: Session, level: number, description: number): void {
    this.#sendRecord(session, ContentType.alert, encodeAlert({ level, description }));
  }

  #sendRecord(session: Session, type: number, content: Uint8Array, to?: Peer): void {
    const { records } = session;
    if (!records.canSend) {
      // RFC 6347 §4.1: sequence numbers must not wrap. Only a new handshake helps.
      this.end(session, 'exhausted', undefined);
      return;
    }
    const room = records.overhead + content.length;
    const link = to ?? pathFor(session, room);
    if (link === undefined) {
      this.drop('unvalidatedAddress');
      return;
    }
    if (this.#out.length < room) this.#out = new Uint8Array(room * 2);
    this.#channel.send(this.#out.subarray(0, records.seal(this.#out, 0, type, content)), link);
  }
}

/** Bytes of content that travel in one record to this peer. */
export function contentMax(session: Session, mtu: number): number {
  const { records, facts } = session;
  // RFC 8449 §4 counts the type that RFC 9146 §4 moves behind the content.
  const limit = facts.recordSizeLimit - (records.sendCid === undefined ? 0 : 1);
  return Math.max(0, Math.min(mtu - records.overhead, limit));
}

function letGo(session: Session): void {
  session.lastFlight?.dispose();
  session.lastFlight = undefined;
}

function sameIdentity(a: Session, b: Session): boolean {
  if (a.identity.kind === 'psk')
    return b.identity.kind === 'psk' && a.identity.identity === b.identity.identity;
  if (a.identity.kind === 'x509') {
    return b.identity.kind === 'x509' && a.identity.commonName === b.identity.commonName;
  }
  return a.identity.kind === b.identity.kind;
}
