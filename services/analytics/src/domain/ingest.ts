import type { EventLog } from '@sefleet/observability';
import type { Clock } from '@sefleet/runtime';
import { EVENTS } from '../events.ts';
import type { DeadLetter, RecordMessage, RecordSource, RecordStore, StoredRecord } from './ports.ts';
import { RateMeter } from './rate-meter.ts';
import type { RecordKeys } from './record-keys.ts';
import { openMessage } from './record-opener.ts';
import { StoredSequences } from './stored-sequences.ts';

/** What ingest works with. */
export interface IngestPorts {
  readonly source: RecordSource;
  readonly store: RecordStore;
  readonly keys: RecordKeys;
  readonly clock: Clock;
  readonly log: EventLog;
  /** Resolves after `delayMs`, or at once when `signal` is aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}

export interface IngestLimits {
  readonly batchRecords: number;
  readonly lingerMs: number;
}

/** Counters since the start; `stored` and `rejected` go on from what the store held. */
export interface IngestStatistics {
  readonly messagesReceived: number;
  readonly stored: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly rowsPerSecond: number;
}

/** Messages read in one go; one holds 1 to 256 records. */
const MAX_READ_MESSAGES = 2000;
/** Messages that wait for a key while provisioning is away. When it is full nothing more is read. */
const MAX_WAITING_MESSAGES = 10_000;
/**
 * How long one read waits: a stop takes no longer, and messages that wait for a key are looked at this often.
 */
const IDLE_READ_MS = 1000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;

interface Batch {
  readonly messages: RecordMessage[];
  readonly records: StoredRecord[];
  readonly letters: DeadLetter[];
  duplicates: number;
}

/**
 * Takes messages, opens their records, stores each record once, and acknowledges a message only after the
 * store has its records.
 *
 * Exactly once rests on three things. {@link StoredSequences} knows what is stored, loaded from the store at
 * the start: it holds after a crash between insert and acknowledgement. A failed insert is done again with
 * its token, so that one whose answer was lost is not done twice. And the table folds rows of one
 * (stakeholder, endpoint, sequence) into one, for the time when several processes ingest.
 */
export class Ingest {
  readonly #ports: IngestPorts;
  readonly #limits: IngestLimits;
  readonly #sequences = new StoredSequences();
  readonly #rate: RateMeter;
  readonly #stop = new AbortController();
  readonly #instance: string;
  #running: Promise<void> = Promise.resolve();
  #waiting: RecordMessage[] = [];
  #batches = 0;
  #messagesReceived = 0;
  #stored = 0;
  #duplicates = 0;
  #rejected = 0;

  /** @param instance unique to this start, part of the insert tokens */
  constructor(ports: IngestPorts, limits: IngestLimits, instance: string) {
    this.#ports = ports;
    this.#limits = limits;
    this.#rate = new RateMeter(ports.clock);
    this.#instance = instance;
  }

  /** Loads what is stored and begins to read. */
  async start(rejectedBefore = 0): Promise<void> {
    for await (const range of this.#ports.store.storedRanges()) {
      this.#sequences.load(range);
      this.#stored += range.last - range.first + 1;
    }
    this.#rejected += rejectedBefore;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  statistics(): IngestStatistics {
    return {
      messagesReceived: this.#messagesReceived,
      stored: this.#stored,
      duplicates: this.#duplicates,
      rejected: this.#rejected,
      rowsPerSecond: this.#rate.perSecond(),
    };
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const messages = await this.#collect();
      if (messages.length === 0 && this.#waiting.length === 0) continue;
      const batch = await this.#open(messages);
      await this.#store(batch);
    }
  }

  /** Reads until the batch is full or has waited long enough. */
  async #collect(): Promise<readonly RecordMessage[]> {
    const { source, clock } = this.#ports;
    const room = MAX_WAITING_MESSAGES - this.#waiting.length;
    if (room <= 0) {
      await this.#ports.sleep(LAST_RETRY_MS, this.#stop.signal);
      return [];
    }
    const limit = Math.min(MAX_READ_MESSAGES, room, this.#limits.batchRecords);
    const messages = [...(await source.read(limit, IDLE_READ_MS))];
    const until = clock.monotonicMs() + this.#limits.lingerMs;
    while (messages.length > 0 && messages.length < limit && !this.#stop.signal.aborted) {
      const leftMs = until - clock.monotonicMs();
      if (leftMs <= 0) break;
      messages.push(...(await source.read(limit - messages.length, leftMs)));
    }
    this.#messagesReceived += messages.length;
    return messages;
  }

  /** Opens messages, new ones and those that waited; asks for keys once when one is unknown. */
  async #open(messages: readonly RecordMessage[]): Promise<Batch> {
    const batch: Batch = { messages: [], records: [], letters: [], duplicates: 0 };
    const inBatch = new Set<string>();
    const unopened = this.#openInto(batch, inBatch, [...this.#waiting, ...messages], false);
    this.#waiting = [];
    if (unopened.length === 0) return batch;
    if (await this.#refreshKeys()) this.#openInto(batch, inBatch, unopened, true);
    else this.#waiting = unopened;
    return batch;
  }

  async #refreshKeys(): Promise<boolean> {
    const { keys, log } = this.#ports;
    try {
      await this.#ports.sleep(keys.refreshDelayMs(), this.#stop.signal);
      await keys.refresh();
      return true;
    } catch (error) {
      log.emit(EVENTS.keysUnavailable, { error, waiting: this.#waiting.length });
      return false;
    }
  }

  #openInto(
    batch: Batch,
    inBatch: Set<string>,
    messages: readonly RecordMessage[],
    giveUp: boolean,
  ): RecordMessage[] {
    const unopened: RecordMessage[] = [];
    for (const message of messages) {
      const opened = openMessage(message, this.#ports.keys, giveUp);
      if (opened.keyMissing) {
        unopened.push(message);
        continue;
      }
      batch.messages.push(message);
      batch.letters.push(...opened.letters);
      for (const record of opened.records) this.#sort(record, message, batch, inBatch);
    }
    return unopened;
  }

  #sort(record: StoredRecord, message: RecordMessage, batch: Batch, inBatch: Set<string>): void {
    const { stakeholder, endpoint, sequence } = record;
    const verdict = this.#sequences.check(stakeholder, endpoint, sequence);
    const name = `${stakeholder} ${sequence} ${endpoint}`;
    if (verdict === 'tooSparse') {
      batch.letters.push({ topic: message.topic, reason: 'sequenceTooSparse', payload: message.payload });
    } else if (verdict === 'duplicate' || inBatch.has(name)) {
      batch.duplicates++;
    } else {
      inBatch.add(name);
      batch.records.push(record);
    }
  }

  async #store(batch: Batch): Promise<void> {
    const { store, source, log } = this.#ports;
    const token = `${this.#instance}-${++this.#batches}`;
    const size = this.#limits.batchRecords;
    for (let at = 0; at < batch.records.length; at += size) {
      const part = batch.records.slice(at, at + size);
      if (!(await this.#persist(() => store.insert(part, `${token}-${at}`)))) return;
      for (const { stakeholder, endpoint, sequence } of part)
        this.#sequences.add(stakeholder, endpoint, sequence);
      this.#stored += part.length;
      this.#rate.add(part.length);
    }
    if (batch.letters.length > 0) {
      if (!(await this.#persist(() => store.insertDeadLetters(batch.letters, `${token}-letters`)))) return;
      for (const { reason } of batch.letters) log.count(`ingest.rejected.${reason}`);
      this.#rejected += batch.letters.length;
    }
    this.#duplicates += batch.duplicates;
    await this.#persist(() => source.acknowledge(batch.messages));
  }

  /**
   * Tries until it succeeds; false when the service stops meanwhile. What is not acknowledged comes again.
   */
  async #persist(write: () => Promise<void>): Promise<boolean> {
    for (let delayMs = FIRST_RETRY_MS; ; delayMs = Math.min(2 * delayMs, LAST_RETRY_MS)) {
      try {
        await write();
        return true;
      } catch (error) {
        this.#ports.log.emit(EVENTS.insertFailed, { error, retryInMs: delayMs });
      }
      await this.#ports.sleep(delayMs, this.#stop.signal);
      if (this.#stop.signal.aborted) return false;
    }
  }
}
