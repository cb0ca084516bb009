import { mkdirSync } from 'node:fs';
import { ClassicLevel } from 'classic-level';
import { ByteReader, ByteWriter } from '@sefleet/bytes';
import type { RecordMessage, RecordSource } from '../../domain/ports.ts';
import { analyticsError } from '../../errors.ts';

interface Waiting {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface QueuedMessage extends RecordMessage {
  readonly key: Uint8Array;
}

export interface RecordQueueOptions {
  readonly folder: string;
  /** Topics and payloads on disk together; beyond it {@link RecordQueue.append} waits. */
  readonly maxBytes: number;
}

/** Messages written in one go; what comes meanwhile is the next group. */
const MAX_GROUP = 1000;
/** Publishers that wait for their group. Each connection has a few; more would be a fault of the broker. */
const MAX_WAITING = 100_000;
/** One read ends behind this, however many messages were asked for. */
const MAX_READ_BYTES = 8_388_608;
const READ_STEP = 128;
const KEY_BYTES = 8;

/**
 * The messages that the embedded broker has taken over and ClickHouse does not have yet, on disk. It stands
 * between the broker and ingest because a broker of the aedes kind acknowledges a QoS 1 message before it
 * writes it: here a message is on disk (and synced) before its publisher hears of it.
 *
 * Writes are grouped: while one group is written the next gathers, so that a sync is paid once for many
 * messages.
 */
export class RecordQueue implements RecordSource {
  readonly #db: ClassicLevel<Uint8Array, Uint8Array>;
  readonly #maxBytes: number;
  #waiting: Waiting[] = [];
  #writing = false;
  #closed = false;
  #nextId = 1n;
  #readUpTo = 0n;
  #writtenUpTo = 0n;
  #bytes = 0;
  #wake: (() => void) | undefined;

  private constructor(db: ClassicLevel<Uint8Array, Uint8Array>, maxBytes: number) {
    this.#db = db;
    this.#maxBytes = maxBytes;
  }

  /**
   * Opens the queue, with what an earlier process left in it. @throws SefleetError
   * `ANALYTICS_QUEUE_UNAVAILABLE`.
   */
  static async open(options: RecordQueueOptions): Promise<RecordQueue> {
    try {
      mkdirSync(options.folder, { recursive: true });
      const db = new ClassicLevel<Uint8Array, Uint8Array>(options.folder, {
        keyEncoding: 'view',
        valueEncoding: 'view',
      });
      await db.open();
      const queue = new RecordQueue(db, options.maxBytes);
      await queue.#load();
      return queue;
    } catch (cause) {
      throw analyticsError(
        'ANALYTICS_QUEUE_UNAVAILABLE',
        `cannot open the message queue in ${options.folder}`,
        {
          cause,
          hint: 'Look for a second process on the same data folder (SEFLEET_DATA), or for a full disk.',
        },
      );
    }
  }

  /** Bytes kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the message will survive a crash. */
  append(topic: string, payload: Uint8Array): Promise<void> {
    if (this.#closed || this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(analyticsError('ANALYTICS_QUEUE_UNAVAILABLE', 'the message queue takes no more'));
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ topic, payload, resolve, reject });
    this.#write();
    return promise;
  }

  async read(limit: number, waitMs: number): Promise<readonly RecordMessage[]> {
    if (this.#readUpTo === this.#writtenUpTo) await this.#somethingNew(waitMs);
    if (this.#closed || this.#readUpTo === this.#writtenUpTo) return [];
    const iterator = this.#db.iterator({ gt: keyOf(this.#readUpTo), lte: keyOf(this.#writtenUpTo), limit });
    const messages: QueuedMessage[] = [];
    try {
      for (let bytes = 0; bytes < MAX_READ_BYTES;) {
        const entries = await iterator.nextv(READ_STEP);
        if (entries.length === 0) break;
        for (const [key, value] of entries) messages.push({ key, ...decodeMessage(value) });
        for (const [, value] of entries) bytes += value.length;
      }
    } finally {
      await iterator.close();
    }
    const last = messages.at(-1);
    this.#readUpTo = last === undefined ? this.#writtenUpTo : new ByteReader(last.key).u64();
    return messages;
  }

  async acknowledge(messages: readonly RecordMessage[]): Promise<void> {
    if (this.#closed) return;
    const batch = this.#db.batch();
    let bytes = 0;
    for (const message of messages) {
      if (!('key' in message) || !(message.key instanceof Uint8Array)) continue;
      batch.del(message.key);
      bytes += sizeOf(message);
    }
    await batch.write();
    this.#bytes -= bytes;
    this.#write();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    for (const { reject } of this.#waiting.splice(0)) {
      reject(analyticsError('ANALYTICS_QUEUE_UNAVAILABLE', 'the message queue was closed'));
    }
    await this.#db.close();
  }

  async #load(): Promise<void> {
    for await (const [key, value] of this.#db.iterator()) {
      this.#writtenUpTo = new ByteReader(key).u64();
      this.#bytes += sizeOf(decodeMessage(value));
    }
    this.#nextId = this.#writtenUpTo + 1n;
  }

  /** Writes the next group, unless one is being written or the disk's share is used up. */
  #write(): void {
    if (this.#writing || this.#closed || this.#waiting.length === 0 || this.#bytes >= this.#maxBytes) return;
    this.#writing = true;
    // Later in this turn, so that everything a socket brought at once is one group.
    queueMicrotask(() => {
      const group = this.#waiting.splice(0, MAX_GROUP);
      void this.#writeGroup(group).finally(() => {
        this.#writing = false;
        this.#write();
      });
    });
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    let id = this.#nextId;
    this.#nextId += BigInt(group.length);
    try {
      const batch = this.#db.batch();
      for (const message of group) batch.put(keyOf(id++), encodeMessage(message));
      await batch.write({ sync: true });
    } catch (cause) {
      const error = analyticsError('ANALYTICS_QUEUE_UNAVAILABLE', 'cannot write the message queue', {
        cause,
      });
      for (const { reject } of group) reject(error);
      return;
    }
    this.#writtenUpTo = id - 1n;
    for (const message of group) {
      this.#bytes += sizeOf(message);
      message.resolve();
    }
    this.#wake?.();
  }

  #somethingNew(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, waitMs);
      this.#wake = done;
    });
  }
}

function keyOf(id: bigint): Uint8Array {
  return new ByteWriter(KEY_BYTES).u64(id).finish();
}

function sizeOf({ topic, payload }: RecordMessage): number {
  return topic.length + payload.length;
}

function encodeMessage({ topic, payload }: RecordMessage): Uint8Array {
  const name = Buffer.from(topic, 'utf8');
  return new ByteWriter(2 + name.length + payload.length)
    .lengthPrefixed(2, (writer) => writer.bytes(name))
    .bytes(payload)
    .finish();
}

function decodeMessage(data: Uint8Array): RecordMessage {
  const reader = new ByteReader(data);
  const topic = Buffer.from(reader.bytes(reader.u16())).toString('utf8');
  return { topic, payload: reader.rest() };
}
