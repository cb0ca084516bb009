import type { Timers } from '@sefleet/runtime';
import { serviceError } from '../../errors.ts';
import type { DeviceEvent, DeviceEventType } from './device-event.ts';
import { decodeEvents, encodeEvents } from './event-codec.ts';
import type { EventSegment, EventStore } from './event-store.ts';

/** What a reader gets: an event, or how many it missed. */
export type JournalItem =
  | { readonly kind: 'event'; readonly event: DeviceEvent; readonly resumeToken: string }
  | { readonly kind: 'skipped'; readonly count: number; readonly resumeToken: string };

/** What an {@link EventJournal} works with. */
export interface EventJournalOptions {
  readonly store: EventStore;
  readonly timers: Timers;
  /** Name for a journal that has none yet; it tells its tokens from those of others. */
  readonly fresh: string;
  /** Events kept in the store. */
  readonly kept: number;
  /** Told of events that were lost because the store could not keep up, and of its failures. */
  readonly count: (name: string, by?: number) => void;
  /** Events kept in memory beside; a power of two. */
  readonly ring?: number;
}

/** Events that wait to be kept, and who waits for that. */
interface Draft {
  readonly first: number;
  readonly events: DeviceEvent[];
  readonly kept: PromiseWithResolvers<void>;
}

/** Readers that keep up read from memory; what lies before it comes from the store. */
const RING = 8192;
/** Events wait so long for company: one transaction for all costs about as much as one for each. */
const GATHER_MS = 8;
/** A segment is read and decoded as a whole. */
const SEGMENT_MAX = 4096;
/** Events that a reader takes out of the ring in one go. */
const AT_ONCE = 256;
/** Events that wait for a store that does not write: some hundred bytes each. */
const PENDING_MAX = 65_536;
const RETRY_MS = 1000;
/** The store is told to forget after every so many parts of what it keeps. */
const DROP_PARTS = 16;

/**
 * Everything that happened, in order. An event is durable before a reader is told of it, so that a reader
 * that comes back with its token, to this process or to the next one, misses none that is still kept and
 * gets none twice; what is not kept any more is reported as skipped. Readers hold nothing but their place,
 * so that a slow one costs no memory.
 */
export class EventJournal {
  readonly #options: EventJournalOptions;
  readonly #name: string;
  readonly #ring: (DeviceEvent | undefined)[];
  /** The first place of this process. */
  readonly #begin: number;
  /** The place of the next event. */
  #next: number;
  /** Readers may see what lies before. */
  #told: number;
  #drafts: Draft[] = [];
  #pending = 0;
  #writing: Promise<void> | undefined;
  #dropAt: number;
  #closed = false;
  #wakeUps = new Set<() => void>();

  private constructor(options: EventJournalOptions, name: string, next: number) {
    this.#options = options;
    this.#name = name;
    this.#ring = Array.from({ length: options.ring ?? RING });
    this.#begin = next;
    this.#next = next;
    this.#told = next;
    this.#dropAt = next;
  }

  static async open(options: EventJournalOptions): Promise<EventJournal> {
    const { name, next } = await options.store.open(options.fresh);
    return new EventJournal(options, name, next);
  }

  /** Takes an event. @returns when it is durable; rejects when it is lost */
  append(event: DeviceEvent): Promise<void> {
    const place = this.#next++;
    if (this.#pending >= PENDING_MAX || this.#closed) {
      this.#options.count('events.lost');
      const lost = Promise.reject(
        serviceError('LWM2M_STORE_UNAVAILABLE', 'the event store does not keep up'),
      );
      // Not everybody waits.
      lost.catch(() => {});
      return lost;
    }
    let draft = this.#drafts.at(-1);
    const fits = draft !== undefined && draft.first + draft.events.length === place;
    if (draft === undefined || !fits || draft.events.length >= SEGMENT_MAX) {
      draft = { first: place, events: [], kept: Promise.withResolvers() };
      this.#drafts.push(draft);
    }
    draft.events.push(event);
    this.#pending++;
    this.#writing ??= this.#write();
    return draft.kept.promise;
  }

  /**
   * Events of the given types (empty: all) from a token on, or from now on without one; ends when `signal`
   * aborts.
   *
   * A token of another journal, or of a place that this one has not reached, gives one `skipped` with
   * count 0: how many there were is not known.
   *
   * @throws SefleetError `LWM2M_REQUEST_INVALID` for a text that is no token
   */
  async *read(
    resumeToken: string,
    types: ReadonlySet<DeviceEventType>,
    signal: AbortSignal,
  ): AsyncGenerator<JournalItem> {
    const start = this.#place(resumeToken);
    let place = start ?? this.#ringStart;
    if (start === undefined) yield { kind: 'skipped', count: 0, resumeToken: this.#token(place) };
    while (!signal.aborted) {
      if (place >= this.#told) {
        await this.#appended(signal);
        continue;
      }
      const { skipped, first, events } =
        place < this.#ringStart ? await this.#fromStore(place) : this.#fromRing(place);
      place = first;
      if (skipped > 0) yield { kind: 'skipped', count: skipped, resumeToken: this.#token(place) };
      for (const event of events) {
        place++;
        if (signal.aborted) return;
        if (types.size > 0 && !types.has(event.type)) continue;
        yield { kind: 'event', event, resumeToken: this.#token(place) };
      }
    }
  }

  /** A token for what comes from now on. */
  get token(): string {
    return this.#token(this.#next);
  }

  /** Keeps what waits, and takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
  }

  get #ringStart(): number {
    return Math.max(this.#begin, this.#told - this.#ring.length);
  }

  /** Writes drafts, one after the other, until there are none. */
  async #write(): Promise<void> {
    await this.#pause(GATHER_MS);
    for (let draft = this.#drafts[0]; draft !== undefined; draft = this.#drafts[0]) {
      // From here on it takes no more.
      if (this.#drafts.length === 1) this.#drafts = [];
      else this.#drafts.shift();
      const { first, events } = draft;
      const isKept = await this.#save({ first, count: events.length, text: encodeEvents(events) });
      this.#pending -= events.length;
      this.#tell(draft);
      if (isKept) draft.kept.resolve();
      else draft.kept.reject(serviceError('LWM2M_STORE_UNAVAILABLE', 'events could not be kept'));
    }
    this.#writing = undefined;
  }

  async #save(segment: EventSegment): Promise<boolean> {
    for (;;) {
      try {
        await this.#options.store.save(segment);
        this.#drop(segment.first);
        return true;
      } catch {
        this.#options.count('events.storeFailed');
        // At the end there is nobody left to try again.
        if (this.#closed) return false;
        await this.#pause(RETRY_MS);
      }
    }
  }

  #drop(next: number): void {
    const { kept, store, count } = this.#options;
    if (next < this.#dropAt) return;
    this.#dropAt = next + Math.ceil(kept / DROP_PARTS);
    store.dropBefore(next - kept - SEGMENT_MAX).catch(() => count('events.storeFailed'));
  }

  #tell({ first, events, kept }: Draft): void {
    // Not everybody waits.
    kept.promise.catch(() => {});
    const length = this.#ring.length;
    for (let place = Math.max(this.#told, first - length); place < first; place++) {
      this.#ring[place % length] = undefined;
    }
    for (const [index, event] of events.entries()) this.#ring[(first + index) % length] = event;
    this.#told = first + events.length;
    const wakeUps = this.#wakeUps;
    this.#wakeUps = new Set();
    for (const wakeUp of wakeUps) wakeUp();
  }

  /** Events from a place on; those that were lost before the first of them are skipped. */
  #fromRing(place: number): Found {
    let first = place;
    while (first < this.#told && this.#at(first) === undefined) first++;
    const events: DeviceEvent[] = [];
    const end = Math.min(this.#told, first + AT_ONCE);
    while (first + events.length < end) {
      const event = this.#at(first + events.length);
      if (event === undefined) break;
      events.push(event);
    }
    return { skipped: first - place, first, events };
  }

  #at(place: number): DeviceEvent | undefined {
    return this.#ring[place % this.#ring.length];
  }

  async #fromStore(place: number): Promise<Found> {
    const segment = await this.#options.store.find(place);
    const end = this.#ringStart;
    if (segment === undefined || segment.first >= end) {
      return { skipped: Math.max(0, end - place), first: Math.max(place, end), events: [] };
    }
    const first = Math.max(place, segment.first);
    const events = decodeEvents(segment.text).slice(first - segment.first, this.#told - segment.first);
    return { skipped: first - place, first, events };
  }

  #token(place: number): string {
    return `${this.#name}.${place}`;
  }

  #place(token: string): number | undefined {
    if (token === '') return this.#next;
    const match = /^([\w-]{1,64})\.(\d{1,15})$/.exec(token);
    if (match === null)
      throw serviceError('LWM2M_REQUEST_INVALID', 'resume_token is not one of this service');
    const place = Number(match[2]);
    // One from ahead was given before the last crash, or before the database was put back to a backup.
    return match[1] === this.#name && place <= this.#next ? place : undefined;
  }

  #appended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#wakeUps.delete(done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#wakeUps.add(done);
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.timers.after(ms, resolve);
    });
  }
}

/** What lies at a place: how many are missing, and the events from `first` on. */
interface Found {
  readonly skipped: number;
  readonly first: number;
  readonly events: readonly DeviceEvent[];
}
