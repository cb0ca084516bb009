/** What the processes of a CoAP benchmark say to each other. */
export type CoapSubject = 'sefleet' | 'sefleet ffi' | 'node-coap' | 'dgram echo';

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
