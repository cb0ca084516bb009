import type { Lwm2mEntry } from '@sefleet/lwm2m';
import { serviceError } from '../errors.ts';

/** What happens to devices. */
export type DeviceEventType =
  | 'bootstrapped'
  | 'registered'
  | 'updated'
  | 'deregistered'
  | 'expired'
  | 'sleeping'
  | 'notification'
  | 'send'
  | 'operationEnded';

/** One thing that happened. */
export interface DeviceEvent {
  readonly type: DeviceEventType;
  readonly endpoint: string;
  /** Kind of the device. */
  readonly kind: string;
  readonly atMs: number;
  /** Paths of a notification, blank between them; empty for the other types. */
  readonly path: string;
  readonly entries: readonly Lwm2mEntry[];
  /** Of a queued operation that is over. */
  readonly operation?: { readonly id: string; readonly code: string };
}

/** What a reader gets: an event, or how many it missed. */
export type JournalItem =
  | { readonly kind: 'event'; readonly event: DeviceEvent; readonly resumeToken: string }
  | { readonly kind: 'skipped'; readonly count: number; readonly resumeToken: string };

/** Events kept for readers that are behind or come back; a power of two. */
const KEPT = 32_768;

/**
 * The last events, in a ring. Readers hold nothing but their place in it, so that a slow one costs no
 * memory: what was overwritten before it was read is reported as skipped.
 */
export class EventJournal {
  readonly #runId: string;
  readonly #kept: number;
  readonly #ring: (DeviceEvent | undefined)[];
  #next = 0;
  #wakeUps: (() => void)[] = [];

  /** @param runId tells the tokens of this run of the server from those of others */
  constructor(runId: string, kept = KEPT) {
    this.#runId = runId;
    this.#kept = kept;
    this.#ring = Array.from({ length: kept });
  }

  append(event: DeviceEvent): void {
    this.#ring[this.#next % this.#kept] = event;
    this.#next++;
    if (this.#wakeUps.length === 0) return;
    const wakeUps = this.#wakeUps;
    this.#wakeUps = [];
    for (const wakeUp of wakeUps) wakeUp();
  }

  /**
   * Events of the given types (empty: all) from a token on, or from now on without one; ends when `signal`
   * aborts.
   *
   * A token of an earlier run gives one `skipped` with count 0: how many there were is not known any more.
   *
   * @throws SefleetError `LWM2M_REQUEST_INVALID` for a text that is no token
   */
  async *read(
    resumeToken: string,
    types: ReadonlySet<DeviceEventType>,
    signal: AbortSignal,
  ): AsyncGenerator<JournalItem> {
    const start = this.#place(resumeToken);
    let place = start ?? this.#oldest;
    if (start === undefined) yield { kind: 'skipped', count: 0, resumeToken: this.#token(place) };
    while (!signal.aborted) {
      if (place === this.#next) {
        await this.#appended(signal);
        continue;
      }
      if (place < this.#oldest) {
        const count = this.#oldest - place;
        place = this.#oldest;
        yield { kind: 'skipped', count, resumeToken: this.#token(place) };
        continue;
      }
      const event = this.#ring[place % this.#kept];
      place++;
      if (event !== undefined && (types.size === 0 || types.has(event.type))) {
        yield { kind: 'event', event, resumeToken: this.#token(place) };
      }
    }
  }

  get #oldest(): number {
    return Math.max(0, this.#next - this.#kept);
  }

  #token(place: number): string {
    return `${this.#runId}.${place}`;
  }

  #place(token: string): number | undefined {
    if (token === '') return this.#next;
    const match = /^([\w-]{1,64})\.(\d{1,15})$/.exec(token);
    if (match === null)
      throw serviceError('LWM2M_REQUEST_INVALID', 'resume_token is not one of this service');
    if (match[1] !== this.#runId) return undefined;
    return Math.min(Number(match[2]), this.#next);
  }

  #appended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      this.#wakeUps.push(done);
    });
  }
}
