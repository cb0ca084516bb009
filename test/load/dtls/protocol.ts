/** What the processes of a DTLS benchmark say to each other. */
export type DtlsSubject = 'sefleet' | 'node-dtls-client';

export type HandshakeKind = 'psk' | 'ecdhe';

/** How the client process is started. */
export interface ClientOrder {
  readonly job: 'handshakes' | 'fleet';
  readonly subject: DtlsSubject;
  readonly kind: HandshakeKind;
  readonly port: number;
  readonly rounds: number;
  readonly seconds: number;
  /** Handshakes in flight, or sessions of the fleet. */
  readonly size: number;
  /** PEM: authority, certificate and private key of the client. */
  readonly credentials: Credentials;
}

export interface Credentials {
  readonly authority: string;
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly client: { readonly certificatePem: string; readonly privateKeyPem: string };
}

/** One round of handshakes as the client saw it. */
export interface HandshakeRound {
  readonly handshakes: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Microseconds from connect to session. */
  readonly p50: number;
  readonly p99: number;
}

export interface ServerReport {
  readonly cpuSeconds: number;
  readonly sessions: number;
  readonly handshakes: number;
  readonly addressChanges: number;
  readonly received: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
}

/** Sessions out of one endpoint and into another. */
export interface TransferReport {
  readonly sessions: number;
  readonly milliseconds: number;
  readonly bytes: number;
}

export const PSK_KEY = new Uint8Array(16).fill(0x42);
export const PSK_IDENTITY = 'bench';
