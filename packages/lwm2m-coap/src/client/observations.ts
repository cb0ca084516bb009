import type { CoapReply, NotificationOutcome, ObservationEnd, ServerObservation } from '@sefleet/coap';
import { isMultiple, startNotification, stepNotification } from '@sefleet/lwm2m';
import type {
  AttributeStore,
  Lwm2mEntry,
  Lwm2mPath,
  NotificationAttributes,
  NotificationState,
  ObjectTree,
} from '@sefleet/lwm2m';
import type { Runtime, Timer } from '@sefleet/runtime';
import { carriesTimes, modelsOf, observesAlike, placed, readObserved, sampleOf, sees } from './observed.ts';
import type { Observed } from './observed.ts';
import { contentReply, errorReply } from './reply.ts';

/** What observations need of the session that they belong to. */
export interface ObservationHost {
  readonly runtime: Runtime;
  /** What servers have set on the nodes of a device. */
  attributesOf(tree: ObjectTree): AttributeStore;
  readonly shortServerId: number;
  /** Confirmable unless an attribute says otherwise; undefined: CoAP decides. */
  readonly confirmable: boolean | undefined;
  /** pmin and pmax of the server's account. */
  readonly defaults: NotificationAttributes;
  /**
   * How many notifications are kept while the server cannot be told, the newest ones; 0: its account wants
   * none of them (resource 6).
   */
  readonly storedNotificationsMax: number;
  /** Called before a notification goes out: a sleeping client wakes. */
  notifying(): void;
  /** Called when CoAP has ended an observation because a notification was never acknowledged. */
  registerSoon(): void;
}

interface ObservationRecord extends Observed {
  /** Undefined while the server cannot be told. */
  observation: ServerObservation | undefined;
  readonly state: NotificationState;
  readonly history: Lwm2mEntry[];
  /** What the server has still to be told, the oldest first. */
  readonly backlog: (readonly Lwm2mEntry[])[];
  /** Some of the backlog is on its way. */
  telling: boolean;
  /** Registrations in which the server has not asked for it again. */
  unasked: number;
  timer: Timer | undefined;
  dirty: boolean;
}

/** The most that `hqmax` may ask for, whatever it says. */
const HISTORY_MAX = 1_000;
/** Kept notifications that travel together. */
const BATCH_MAX = 64;

/**
 * The observations that one server holds on a device. What it cannot be told while it is out of reach is kept
 * if its account says so (Core appendix E.2, resource 6), and told when it asks for the same nodes again.
 */
export class Observations {
  readonly #host: ObservationHost;
  readonly #records: ObservationRecord[] = [];
  #scheduled = false;

  constructor(host: ObservationHost) {
    this.#host = host;
  }

  /** Observations that the server holds now. */
  get size(): number {
    return this.#records.filter(({ observation }) => observation !== undefined).length;
  }

  /** Notifications that wait for the server. */
  get stored(): number {
    return this.#records.reduce((sum, { backlog }) => sum + backlog.length, 0);
  }

  /** Takes up an observation whose first answer has just been made. */
  add(observed: Observed, observation: ServerObservation): void {
    const before = this.#records.find(
      (record) => record.observation === undefined && observesAlike(record, observed),
    );
    if (before !== undefined) this.#remove(before);
    const record: ObservationRecord = {
      ...observed,
      observation,
      state: startNotification(sampleOf(observed), this.#host.runtime.clock.monotonicMs()),
      history: [],
      backlog: before?.backlog ?? [],
      telling: false,
      unasked: 0,
      timer: undefined,
      dirty: false,
    };
    this.#records.push(record);
    observation.onEnd((reason) => this.#ended(record, observation, reason));
    this.#step(record, false);
    // The answer has just told the present value; after older ones it has to come last.
    const newest = record.backlog.at(-1);
    if (newest !== undefined && !saysAlike(newest, this.#show(record).entries)) this.#keepPresent(record);
    this.#tell(record);
  }

  /** Something has changed; every observation that sees it is looked at in the next turn. */
  changed(
    tree: ObjectTree,
    objectId: number,
    instanceId: number | undefined,
    resourceId: number | undefined,
  ): void {
    for (const record of this.#records) {
      const concerned = record.places.some(
        (place) => place.tree === tree && sees(place.path, objectId, instanceId, resourceId),
      );
      if (!concerned) continue;
      record.dirty = true;
      this.#remember(record);
      this.#schedule();
    }
  }

  /** Attributes at `path` of a device have changed: deadlines move. */
  attributesChanged(tree: ObjectTree, path: Lwm2mPath): void {
    for (const record of this.#records) {
      const concerned = record.places.some((place) => place.tree === tree && path.contains(place.path));
      if (concerned) this.#step(record, false);
    }
  }

  /**
   * The registration that they belong to is over, or its server out of reach: they end without a word, but
   * for what is to be kept.
   */
  suspend(): void {
    if (this.#host.storedNotificationsMax === 0) this.clear();
    for (const record of this.#records) {
      const { observation } = record;
      record.observation = undefined;
      observation?.end();
    }
  }

  /** A new registration: what the server did not ask for again in the last one is forgotten. */
  registered(): void {
    for (const record of this.#records.slice()) {
      if (record.observation === undefined && record.unasked++ > 0) this.#remove(record);
    }
  }

  /** Ends them all, and forgets what was kept. */
  clear(): void {
    for (const { timer, observation, backlog } of this.#records.splice(0)) {
      timer?.cancel();
      observation?.end();
      backlog.length = 0;
    }
  }

  /** The account says that nothing is to be kept. */
  discardStored(): void {
    for (const record of this.#records.slice()) {
      record.backlog.length = 0;
      if (record.observation === undefined) this.#remove(record);
    }
  }

  /** One turn for all changes that belong together: a device that updates ten resources notifies once. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (const record of this.#records.slice()) {
        if (!record.dirty) continue;
        record.dirty = false;
        this.#step(record, true);
      }
    });
  }

  #attributesOf(record: ObservationRecord): NotificationAttributes {
    const { shortServerId, defaults } = this.#host;
    const [place] = record.places;
    const written =
      place === undefined || record.composite
        ? {}
        : this.#host.attributesOf(place.tree).effective(shortServerId, place.path);
    return { ...defaults, ...written, ...record.attributes };
  }

  #step(record: ObservationRecord, changed: boolean): void {
    record.timer?.cancel();
    record.timer = undefined;
    const { clock, timers } = this.#host.runtime;
    const nowMs = clock.monotonicMs();
    const attributes = this.#attributesOf(record);
    const { send, wakeAtMs } = stepNotification(record.state, attributes, sampleOf(record), changed, nowMs);
    if (send) this.#notify(record, attributes);
    if (wakeAtMs !== undefined && this.#records.includes(record)) {
      record.timer = timers.after(Math.max(0, wakeAtMs - nowMs), () => this.#step(record, false));
    }
  }

  #notify(record: ObservationRecord, attributes: NotificationAttributes): void {
    const { observation, backlog } = record;
    if (observation === undefined || record.telling || backlog.length > 0) {
      this.#keepPresent(record);
      this.#tell(record);
      return;
    }
    this.#host.notifying();
    const confirmable = attributes.con === undefined ? this.#host.confirmable : attributes.con === 1;
    const shown = this.#show(record);
    const settled = (outcome: NotificationOutcome): void => {
      if (outcome === 'failed') this.#failed(record, shown.entries);
    };
    observation.notify(shown.reply, { confirmable, settled });
    record.history.length = 0;
  }

  /** What a notification says now. */
  #show(record: ObservationRecord): { readonly entries: readonly Lwm2mEntry[]; readonly reply: CoapReply } {
    try {
      const present = readObserved(record, this.#host.shortServerId);
      // The newest of the history is the present value.
      const past = record.history.slice(0, -1);
      const timed = present.map((entry) => this.#timed(entry));
      const reply = replyOf(record, past.length === 0 ? present : [...past, ...timed]);
      return { entries: [...past, ...timed], reply };
    } catch (error) {
      return { entries: [], reply: errorReply(error) };
    }
  }

  /** The server may have asked for the same again meanwhile. */
  #failed(record: ObservationRecord, entries: readonly Lwm2mEntry[]): void {
    this.#keep(record, entries);
    for (const other of this.#records) if (other.backlog === record.backlog) this.#tell(other);
  }

  #keepPresent(record: ObservationRecord): void {
    this.#keep(record, this.#show(record).entries);
    record.history.length = 0;
  }

  #keep(record: ObservationRecord, entries: readonly Lwm2mEntry[]): void {
    const { storedNotificationsMax } = this.#host;
    if (entries.length === 0 || storedNotificationsMax === 0) return;
    record.backlog.push(entries);
    while (this.stored > storedNotificationsMax && record.backlog.length > 1) record.backlog.shift();
  }

  /** What is kept goes out confirmable and in order: together where the format has times, else one by one. */
  #tell(record: ObservationRecord): void {
    const { observation, backlog } = record;
    if (observation === undefined || record.telling || backlog.length === 0) return;
    const batch = backlog.splice(0, carriesTimes(record) ? BATCH_MAX : 1);
    record.telling = true;
    this.#host.notifying();
    const settled = (outcome: NotificationOutcome): void => {
      record.telling = false;
      if (outcome === 'failed') backlog.unshift(...batch);
      else this.#tell(record);
    };
    observation.notify(replyOf(record, batch.flat()), { confirmable: true, supersede: false, settled });
  }

  #timed(entry: Lwm2mEntry): Lwm2mEntry {
    return { ...entry, timeSeconds: Math.floor(this.#host.runtime.clock.wallMs() / 1000) };
  }

  /** hqmax: values between notifications are kept, as far as the format can carry their times. */
  #remember(record: ObservationRecord): void {
    const hqmax = Math.min(this.#attributesOf(record).hqmax ?? 0, HISTORY_MAX);
    const [place] = record.places;
    if (hqmax === 0 || place === undefined || place.path.depth < 3 || !carriesTimes(record)) return;
    const value = place.tree.value(place.path);
    if (value === undefined || isMultiple(value)) return;
    record.history.push(this.#timed(placed({ path: place.path, value }, place.prefix)));
    while (record.history.length > hqmax) record.history.shift();
  }

  #ended(record: ObservationRecord, observation: ServerObservation, reason: ObservationEnd): void {
    if (record.observation !== observation) return;
    record.observation = undefined;
    const isKept = OUT_OF_REACH.has(reason) && this.#host.storedNotificationsMax > 0;
    if (!isKept && record.backlog.length === 0) this.#remove(record);
    if (reason === 'deregistered' || reason === 'reset') this.#remove(record);
    if (reason === 'timeout') this.#host.registerSoon();
  }

  #remove(record: ObservationRecord): void {
    record.timer?.cancel();
    const at = this.#records.indexOf(record);
    if (at >= 0) this.#records.splice(at, 1);
  }
}

/** Ends of an observation that are not the server's wish. */
const OUT_OF_REACH: ReadonlySet<ObservationEnd> = new Set<ObservationEnd>(['timeout', 'peer-gone', 'closed']);

/** The same values at the same places, whenever that was. */
function saysAlike(a: readonly Lwm2mEntry[], b: readonly Lwm2mEntry[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ path, value }, at) => value === b[at]?.value && path.toString() === b[at]?.path.toString())
  );
}

/** 2.05 with entries; what cannot be said in the format of the observation ends it. */
function replyOf(observed: Observed, entries: readonly Lwm2mEntry[]): CoapReply {
  try {
    return contentReply(observed.format, observed.base, entries, modelsOf(observed));
  } catch (error) {
    return errorReply(error);
  }
}
