/** Takes a device's sealed records to the backend. */
export interface RecordCarrier {
  /** True while it makes sense to hand over records. */
  readonly ready: boolean;
  /** Largest batch that travels well. */
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** How many of the first records can go out now and in one message: they have one addressee. */
  together(sealed: readonly Uint8Array[]): number;
  /** Resolves when the backend has the records safe; rejects when they have to be sent again. */
  deliver(sealed: readonly Uint8Array[]): Promise<void>;
  /**
   * Called by whoever owns the carrier: records may come. `becameReady` is told when that is possible again.
   */
  start(becameReady: () => void): void;
  stop(): Promise<void>;
}
