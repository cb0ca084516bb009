import { CODE } from '@sefleet/coap';
import type { CoapResponse } from '@sefleet/coap';
import { encodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { ContentFormat, Lwm2mEntry, ModelRegistry } from '@sefleet/lwm2m';
import { clientError } from './errors.ts';

/** What became of a Send on the wire. */
export type SendOutcome =
  | { readonly kind: 'answered'; readonly response: CoapResponse }
  /** No answer: the conversation is broken. */
  | { readonly kind: 'broken' };

interface Waiting {
  readonly entries: readonly Lwm2mEntry[];
  /** The one server it is for; undefined: any. */
  readonly shortServerId: number | undefined;
  /** When it was handed in; its entries get this time once they are late. */
  readonly atSeconds: number;
  late: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  attempts: number;
}

/** What the outbox asks of its client. */
export interface OutboxHost {
  readonly models: ModelRegistry;
  readonly format: ContentFormat;
  readonly entriesMax: number;
  readonly batchEntries: number;
  nowSeconds(): number;
  /** True while a Send could go out. */
  canSend(shortServerId: number | undefined): boolean;
  post(shortServerId: number | undefined, payload: Uint8Array, format: ContentFormat): Promise<SendOutcome>;
  /** Runs the next flush after a server asked for patience. */
  after(delayMs: number, run: () => void): void;
}

/** A Send that a server does not answer although it takes registrations is given up. */
const ATTEMPTS_MAX = 5;

/** Sends that wait for a registration or for the one before them: in order, bounded, each acknowledged. */
export class Outbox {
  readonly #host: OutboxHost;
  #waiting: Waiting[] = [];
  #entries = 0;
  #busy = false;

  constructor(host: OutboxHost) {
    this.#host = host;
  }

  /** Entries that wait or are under way. */
  get size(): number {
    return this.#entries;
  }

  /** Queues a Send; resolves when it was acknowledged. */
  add(entries: readonly Lwm2mEntry[], shortServerId: number | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = this.#waiting.length > 0 || this.#busy || !this.#host.canSend(shortServerId);
    const atSeconds = this.#host.nowSeconds();
    this.#waiting.push({ entries, shortServerId, atSeconds, late, resolve, reject, attempts: 0 });
    this.#entries += entries.length;
    while (this.#entries > this.#host.entriesMax && this.#waiting.length > 1) this.#dropOldest();
    this.flush();
    return promise;
  }

  /** Sends what waits, if it can. */
  flush(): void {
    const [first] = this.#waiting;
    if (this.#busy || first === undefined || !this.#host.canSend(first.shortServerId)) return;
    this.#busy = true;
    const batch = this.#takeBatch(first.shortServerId);
    this.#post(first.shortServerId, batch).then(
      () => this.#next(),
      (error: unknown) => {
        this.#settle(batch, error instanceof Error ? error : undefined);
        this.#next();
      },
    );
  }

  /** Gives everything up. */
  clear(error: Error): void {
    this.#settle(this.#waiting.splice(0), error);
  }

  #next(): void {
    this.#busy = false;
    this.flush();
  }

  #takeBatch(shortServerId: number | undefined): Waiting[] {
    const batch: Waiting[] = [];
    let entries = 0;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.shortServerId !== shortServerId) break;
      if (batch.length > 0 && entries + next.entries.length > this.#host.batchEntries) break;
      entries += next.entries.length;
      batch.push(next);
      this.#waiting.shift();
    }
    return batch;
  }

  async #post(shortServerId: number | undefined, batch: readonly Waiting[]): Promise<void> {
    const { format, models } = this.#host;
    const entries = batch.flatMap(timedEntries);
    const payload = encodeContent(format, Lwm2mPath.ROOT, entries, models);
    const outcome = await this.#host.post(shortServerId, payload, format);
    if (outcome.kind === 'broken') {
      this.#putBack(batch);
      return;
    }
    const { response } = outcome;
    if (response.code === CODE.CHANGED) this.#settle(batch, undefined);
    else if (response.code >= CODE.INTERNAL_SERVER_ERROR) {
      // Not for good: the server is busy.
      this.#putBack(batch);
      this.#busy = true;
      await new Promise<void>((resolve) => this.#host.after(response.maxAgeSeconds * 1000, resolve));
    } else {
      const error = clientError('LWM2M_SEND_REFUSED', 'the server refused the Send', {
        context: { code: response.code },
      });
      this.#settle(batch, error);
    }
  }

  #putBack(batch: readonly Waiting[]): void {
    for (const waiting of batch) {
      waiting.attempts++;
      waiting.late = true;
    }
    const dead = batch.filter(({ attempts }) => attempts >= ATTEMPTS_MAX);
    this.#waiting.unshift(...batch.filter(({ attempts }) => attempts < ATTEMPTS_MAX));
    this.#settle(dead, clientError('LWM2M_SEND_DROPPED', 'the server did not answer the Send'));
  }

  #dropOldest(): void {
    const oldest = this.#waiting.shift();
    if (oldest === undefined) return;
    this.#settle([oldest], clientError('LWM2M_SEND_DROPPED', 'the outbox is full of newer records'));
  }

  #settle(batch: readonly Waiting[], error: Error | undefined): void {
    for (const { entries, resolve, reject } of batch) {
      this.#entries -= entries.length;
      if (error === undefined) resolve();
      else reject(error);
    }
  }
}

/** What goes out at once needs no time; what was late tells when it was handed in. */
function timedEntries({ entries, late, atSeconds }: Waiting): readonly Lwm2mEntry[] {
  return late ? entries.map((entry) => ({ timeSeconds: atSeconds, ...entry })) : entries;
}
