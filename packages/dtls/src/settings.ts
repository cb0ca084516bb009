import type { AddressableChannel, Peer, Runtime } from '@sefleet/runtime';
import type { CipherSuiteName } from './cipher-suites.ts';
import type {
  KeyAgreementProvider,
  PskKeyProvider,
  SigningKeyProvider,
} from './credentials/key-providers.ts';
import type { RecordCipher } from './crypto/record-cipher.ts';
import type { ResumptionCache } from './session/resumption-cache.ts';

type Awaitable<T> = T | Promise<T>;

/** Decides whether a peer's certificate or raw public key is trusted. */
export interface PeerTrust {
  /**
   * Judges a certificate chain (DER, the peer's own first); throws or rejects with a `SefleetError` of
   * `createX509Trust`, which carries the alert, to refuse. Without it certificates are not accepted.
   */
  readonly x509?: (chain: readonly Uint8Array[], subject: TrustSubject) => Awaitable<void>;
  /**
   * True when this raw public key (DER SubjectPublicKeyInfo) is known. Without it raw public keys are not
   * accepted.
   */
  readonly rawPublicKey?: (subjectPublicKeyInfo: Uint8Array) => Awaitable<boolean>;
}

/** Whom a certificate has to speak for. */
export interface TrustSubject {
  readonly role: 'client' | 'server';
  /** The name that a server's certificate has to carry; absent when the caller checks no name. */
  readonly serverName?: string;
}

/** What an endpoint needs to answer handshakes. */
export interface DtlsServerSettings {
  /** Suites in order of the server's preference; default: every suite that the credentials below allow. */
  readonly cipherSuites?: readonly CipherSuiteName[];
  /**
   * Finds the key of an identity; undefined for an unknown one, which the client cannot tell from a wrong
   * key.
   */
  readonly pskFor?: (identity: string) => Awaitable<PskKeyProvider | undefined>;
  /** Sent to clients in ServerKeyExchange when set. RFC 4279 §5.2. */
  readonly pskIdentityHint?: string;
  /** Key and certificate for ECDHE_ECDSA, by the name that the client asked for (RFC 6066 §3), if it did. */
  readonly signingKeyFor?: (serverName: string | undefined) => SigningKeyProvider | undefined;
  /** Whether ECDHE_ECDSA clients have to authenticate; default `none`. */
  readonly clientAuthentication?: 'none' | 'optional' | 'required';
  readonly trust?: PeerTrust;
  /** Refuses peers without RFC 7627; default false. */
  readonly requireExtendedMasterSecret?: boolean;
  /** Shared among endpoints when they serve one name; default: no session resumption. */
  readonly resumption?: ResumptionCache;
}

/** What a client needs for one connection. */
export interface DtlsClientSettings {
  /** Suites in order of preference; default: every suite that the credentials below allow. */
  readonly cipherSuites?: readonly CipherSuiteName[];
  readonly psk?: PskKeyProvider;
  /** Key and certificate for client authentication. */
  readonly signingKey?: SigningKeyProvider;
  readonly trust?: PeerTrust;
  /** Sent as SNI (RFC 6066 §3) and handed to `trust.x509`. A DNS name, never a literal address. */
  readonly serverName?: string;
  readonly requireExtendedMasterSecret?: boolean;
  /**
   * State of an earlier session, from {@link DtlsEndpoint.resumptionState}: tried first, a full handshake
   * otherwise.
   */
  readonly resume?: Uint8Array;
}

/** RFC 6347 §4.2.4.1. RFC 7925 §11 advises 9 s as the first time-out on slow networks. */
export interface FlightTimerSettings {
  readonly initialTimeoutMs: number;
  readonly maxTimeoutMs: number;
  readonly maxRetransmissions: number;
}

export const DEFAULT_FLIGHT_TIMERS: FlightTimerSettings = {
  initialTimeoutMs: 1000,
  maxTimeoutMs: 60_000,
  // 1 + 2 + 4 + 8 + 16 + 32 seconds: a minute, as most stacks wait.
  maxRetransmissions: 6,
};

/** Upper bounds of everything that a peer can make an endpoint hold. */
export interface DtlsLimits {
  /**
   * Established sessions; when full, one that was silent for `staleSessionMs` makes room, or the handshake
   * waits.
   */
  readonly maxSessions: number;
  readonly staleSessionMs: number;
  /** Handshakes under way whose cookie was right. */
  readonly maxHalfOpen: number;
  /** The same for one address; a NAT in front of a fleet is one address. */
  readonly maxHalfOpenPerSource: number;
  /** Bytes of one handshake message; a certificate chain is the longest. */
  readonly maxHandshakeMessage: number;
  /** Bytes of all handshake messages held for one handshake because an earlier one is missing. */
  readonly maxReassembly: number;
  /** The same for all handshakes of the endpoint. */
  readonly maxReassemblyInAll: number;
  /** Encrypted records held because their keys are not there yet. */
  readonly maxHeldRecords: number;
}

export const DEFAULT_LIMITS: DtlsLimits = {
  maxSessions: 100_000,
  staleSessionMs: 30 * 60_000,
  maxHalfOpen: 16_384,
  maxHalfOpenPerSource: 4096,
  maxHandshakeMessage: 16_384,
  maxReassembly: 32_768,
  maxReassemblyInAll: 64 * 1024 * 1024,
  maxHeldRecords: 8,
};

/** How an endpoint is made. */
export interface DtlsEndpointOptions {
  /** Carries the records; the endpoint takes it over and closes it. */
  readonly channel: AddressableChannel;
  readonly runtime: Runtime;
  /** Set: the endpoint answers handshakes. */
  readonly server?: DtlsServerSettings;
  /**
   * Bytes of the connection IDs (RFC 9146) that peers send to us: 0 lets only us send some, undefined turns
   * them off.
   */
  readonly connectionIdLength?: number | undefined;
  /**
   * Largest record content that we take, 64 to 16,384 bytes (RFC 8449); a client offers it only when it is
   * set.
   */
  readonly recordSizeLimit?: number;
  /**
   * Agrees on RFC 9853 with peers that know it: a session moves to a new address only when the peer has
   * answered from there. Costs a round trip after each move; default false.
   */
  readonly returnRoutability?: boolean;
  /** Ephemeral keys; default: software, P-256 and X25519. */
  readonly keyAgreement?: KeyAgreementProvider;
  readonly limits?: Partial<DtlsLimits>;
  /** What seals and opens records; default: `node:crypto`. */
  readonly recordCipher?: RecordCipher;
  /** Largest datagram in bytes; default: what the channel says. */
  readonly mtu?: number;
  readonly flightTimers?: Partial<FlightTimerSettings>;
  /**
   * Debugging only: gets one line in the NSS key log format for each session, which opens its traffic to the
   * reader.
   */
  readonly keyLog?: (line: string) => void;
  readonly events?: DtlsEvents;
}

/** What an endpoint tells beside datagrams. Handlers must not throw. */
export interface DtlsEvents {
  sessionEstablished?(peer: Peer, info: DtlsSessionInfo): void;
  handshakeFailed?(failure: HandshakeFailureReport): void;
  sessionClosed?(peer: Peer, reason: SessionCloseReason): void;
  /** RFC 9146 §6: the peer's address changed and an authenticated, newer record came from the new one. */
  addressChanged?(peer: Peer, previous: { readonly address: string; readonly port: number }): void;
}

/** The facts of an established session. */
export interface DtlsSessionInfo {
  readonly role: 'client' | 'server';
  readonly cipherSuite: CipherSuiteName;
  readonly resumed: boolean;
  readonly extendedMasterSecret: boolean;
  readonly serverName: string | undefined;
  /** The connection ID that the peer puts on its records, if any. */
  readonly receiveCid: Uint8Array | undefined;
  /** The connection ID that we put on ours, if any. */
  readonly sendCid: Uint8Array | undefined;
}

export type SessionCloseReason =
  | 'closed'
  | 'peerClosed'
  | 'alert'
  | 'replaced'
  | 'evicted'
  | 'exhausted'
  | 'shutdown';

/** Why a handshake failed, as counters and events name it. */
export type HandshakeFailureReason =
  | 'timeout'
  | 'unknownIdentity'
  | 'wrongKey'
  | 'noSharedCipherSuite'
  | 'unexpectedMessage'
  | 'decodeError'
  | 'illegalParameter'
  | 'protocolVersion'
  | 'insufficientSecurity'
  | 'badCertificate'
  | 'unknownCa'
  | 'certificateExpired'
  | 'certificateRevoked'
  | 'certificateMissing'
  | 'badSignature'
  | 'alertReceived'
  | 'keyProvider'
  | 'limit'
  | 'shutdown';

/** One failed handshake. */
export interface HandshakeFailureReport {
  readonly role: 'client' | 'server';
  readonly reason: HandshakeFailureReason;
  readonly address: string;
  readonly port: number;
  /** The PSK identity that was claimed, when the handshake came that far. */
  readonly identity: string | undefined;
  /** The alert that was sent or received. */
  readonly alert: number | undefined;
}
