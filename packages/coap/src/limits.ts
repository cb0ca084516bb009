/** Bounds on what peers can make an endpoint hold. */
export interface CoapLimits {
  /** Body of one request or response, in bytes, blocks together. */
  readonly maxBodyBytes: number;
  /** Blockwise request bodies being received and large replies being served, all peers together, in bytes. */
  readonly maxBlockwiseBytes: number;
  /** The same as a count. */
  readonly maxBlockwiseTransfers: number;
  /**
   * Answers and ids kept to recognise duplicates (RFC 7252 §4.5), in bytes; when full, the oldest go first.
   */
  readonly maxDeduplicationBytes: number;
  /** Confirmable messages that wait for one peer's turn (NSTART). */
  readonly maxQueuedPerPeer: number;
  /** Confirmable messages under way or waiting, all peers together. */
  readonly maxTransmissions: number;
  /** Requests whose handlers have not answered yet; beyond it a request gets 5.03. */
  readonly maxConcurrentRequests: number;
  /** Observers of our resources, all peers together. */
  readonly maxObservations: number;
  /** The same for one peer. */
  readonly maxObservationsPerPeer: number;
  /** One message on a reliable transport, announced as Max-Message-Size (RFC 8323 §5.3.1), in bytes. */
  readonly maxStreamMessageBytes: number;
}

export const DEFAULT_LIMITS: CoapLimits = {
  maxBodyBytes: 1_048_576,
  maxBlockwiseBytes: 33_554_432,
  maxBlockwiseTransfers: 4096,
  maxDeduplicationBytes: 50_331_648,
  maxQueuedPerPeer: 256,
  maxTransmissions: 262_144,
  maxConcurrentRequests: 16_384,
  maxObservations: 262_144,
  maxObservationsPerPeer: 1024,
  maxStreamMessageBytes: 65_536,
};

/** The limits with their defaults filled in. */
export function resolveLimits(given: Partial<CoapLimits> = {}): CoapLimits {
  return { ...DEFAULT_LIMITS, ...given };
}
