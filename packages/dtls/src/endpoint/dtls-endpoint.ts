import type { DatagramChannel, Peer } from '@sefleet/runtime';
import type { DtlsClientSettings, DtlsSessionInfo } from '../settings.ts';

/**
 * DTLS 1.2 sessions over one datagram channel, as client and, when it has server settings, as server. To
 * protocols above it is a {@link DatagramChannel} whose peers are authenticated and keep their `key` when
 * their address changes.
 */
export interface DtlsEndpoint extends DatagramChannel {
  /**
   * Makes a session with a server.
   *
   * @param address a literal IP address
   * @returns the peer to send to; rejects with `DTLS_HANDSHAKE_FAILED` (its context has `reason` and `alert`)
   */
  connect(address: string, port: number, settings: DtlsClientSettings): Promise<Peer>;
  /** Ends a session with close_notify (RFC 5246 §7.2.1). A peer that is gone is left alone. */
  closePeer(peer: Peer): void;
  /** The established session's facts, or undefined when it is gone. */
  sessionInfo(peer: Peer): DtlsSessionInfo | undefined;
  /**
   * What a client needs to resume this session later (secret), or undefined when the server gave no session
   * id.
   */
  resumptionState(peer: Peer): Uint8Array | undefined;
  /** Number of established sessions. */
  readonly sessionCount: number;
  /** Every established peer. */
  peers(): Iterable<Peer>;
  /**
   * Takes all sessions out of this endpoint, as bytes for {@link DtlsEndpoint.importSessions} of another one.
   * The bytes hold keys. The sessions are gone here afterwards, without an alert: two endpoints that send
   * with one key would repeat nonces.
   */
  exportSessions(): Uint8Array;
  /**
   * Takes sessions over.
   *
   * @returns their peers, with the keys that they had before; throws `DTLS_SESSION_IMPORT` when the bytes are
   * damaged
   */
  importSessions(sessions: Uint8Array): readonly Peer[];
}
