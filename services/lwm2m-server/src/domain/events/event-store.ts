/** Consecutive events as they are kept. */
export interface EventSegment {
  /** Place of the first one. */
  readonly first: number;
  readonly count: number;
  /** As `encodeEvents` writes them. */
  readonly text: string;
}

/** Keeps events for readers that come back after a restart. */
export interface EventStore {
  /**
   * What was kept so far.
   *
   * @param fresh the name of this journal, if it has none yet
   * @returns its name, and the place behind the last event
   */
  open(fresh: string): Promise<{ readonly name: string; readonly next: number }>;
  /** Resolves when the segment is durable. */
  save(segment: EventSegment): Promise<void>;
  /** The first segment that ends behind a place. */
  find(place: number): Promise<EventSegment | undefined>;
  /** Forgets segments that begin before a place. */
  dropBefore(place: number): Promise<void>;
}
