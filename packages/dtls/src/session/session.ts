import type { Peer, PeerIdentity, Timer } from '@sefleet/runtime';
import type { HandshakeOutcome } from '../handshake/handshake.ts';
import type { LastFlight } from '../handshake/last-flight.ts';
import type { DtlsSessionInfo } from '../settings.ts';
import type { SecureRecords } from './secure-records.ts';

/** The facts of a session beside its keys. */
export type SessionFacts = Omit<HandshakeOutcome, 'records' | 'identity'>;

/** A new address of a session, until its peer has answered from there. RFC 9853 §5.1. */
export interface PathCheck {
  readonly link: Peer;
  readonly cookie: Uint8Array;
  readonly timer: Timer;
  /** Bytes that may still be sent there. */
  allowance: number;
}

/**
 * One established session: it is the peer that protocols above see. Kept small, as a server holds it by the
 * thousand.
 */
export class Session implements Peer {
  readonly key: string;
  readonly identity: PeerIdentity;
  readonly records: SecureRecords;
  readonly facts: SessionFacts;
  /** The peer on the channel below, at its newest address. */
  link: Peer;
  lastHeardMs: number;
  /** Tells the ClientHello that this session came from, when it is delivered again; 0 when unknown. */
  helloTag = 0;
  /** Under way while the peer speaks from an address that it has not proven yet. */
  pathCheck: PathCheck | undefined;
  /** Our last flight, until it is clear that the peer got it. */
  lastFlight: LastFlight | undefined;

  constructor(
    key: string,
    link: Peer,
    outcome: {
      readonly identity: PeerIdentity;
      readonly records: SecureRecords;
      readonly facts: SessionFacts;
    },
    nowMs: number,
  ) {
    this.key = key;
    this.link = link;
    this.identity = outcome.identity;
    this.records = outcome.records;
    this.facts = outcome.facts;
    this.lastHeardMs = nowMs;
  }

  get address(): string {
    return this.link.address;
  }

  get port(): number {
    return this.link.port;
  }

  info(): DtlsSessionInfo {
    const { resumed, extendedMasterSecret, serverName } = this.facts;
    const { role, suite, receiveCid, sendCid } = this.records;
    return { role, cipherSuite: suite.name, resumed, extendedMasterSecret, serverName, receiveCid, sendCid };
  }
}
