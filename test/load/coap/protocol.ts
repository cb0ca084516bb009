/** What the processes of a CoAP benchmark say to each other. */
export type CoapSubject = 'sefleet' | 'sefleet ffi' | 'sefleet coaps' | 'node-coap' | 'dgram echo';

/** The key of every client of a benchmark over DTLS, and the identity that goes with it. */
export const PSK_IDENTITY = 'bench';
export const PSK = new Uint8Array(16).fill(0x42);

export interface ServerReport {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly deduplicationBytes: number;
}

/** One round of the client: what it did in its time. */
export interface ClientRound {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Microseconds from request to answer. */
  readonly p50: number;
  readonly p99: number;
}
