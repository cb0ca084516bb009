import { CODE } from '@sefleet/coap';
import type { CoapReply, ServerObservation } from '@sefleet/coap';
import {
  CONTENT_FORMAT,
  isMultiple,
  lwm2mError,
  readComposite,
  readEntries,
  startNotification,
  stepNotification,
} from '@sefleet/lwm2m';
import type {
  AttributeStore,
  ContentFormat,
  Lwm2mEntry,
  Lwm2mPath,
  ModelRegistry,
  NotificationAttributes,
  NotificationState,
  ObjectTree,
  Sample,
} from '@sefleet/lwm2m';
import type { Runtime, Timer } from '@sefleet/runtime';
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
  /** Called before a notification goes out: a sleeping client wakes. */
  notifying(): void;
}

/** A node of the device, or of an end device behind it. */
export interface ObservedPlace {
  readonly tree: ObjectTree;
  readonly path: Lwm2mPath;
  readonly prefix: string | undefined;
}

/** What is observed. */
export interface Observed {
  /** One for Observe, several for Observe-Composite. */
  readonly places: readonly ObservedPlace[];
  /** The base of the payload: the path, or the root. */
  readonly base: Lwm2mPath;
  readonly composite: boolean;
  readonly format: ContentFormat;
  /** Attributes that came with the request (LwM2M 1.2). */
  readonly attributes: NotificationAttributes | undefined;
}

interface ObservationRecord extends Observed {
  readonly observation: ServerObservation;
  readonly state: NotificationState;
  readonly history: Lwm2mEntry[];
  timer: Timer | undefined;
  dirty: boolean;
}

/** The most that `hqmax` may ask for, whatever it says. */
const HISTORY_MAX = 1_000;

/** The observations that one server holds on a device. */
export class Observations {
  readonly #host: ObservationHost;
  readonly #records: ObservationRecord[] = [];
  #scheduled = false;

  constructor(host: ObservationHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#records.length;
  }

  /** Takes up an observation whose first answer has just been made. */
  add(observed: Observed, observation: ServerObservation): void {
    const state = startNotification(sampleOf(observed), this.#host.runtime.clock.monotonicMs());
    const record: ObservationRecord = {
      ...observed,
      observation,
      state,
      history: [],
      timer: undefined,
      dirty: false,
    };
    this.#records.push(record);
    observation.onEnd(() => this.#remove(record));
    this.#step(record, false);
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

  /** Ends them all without telling the server: the registration that they belong to is over. */
  clear(): void {
    for (const record of this.#records.splice(0)) {
      record.timer?.cancel();
      record.observation.end();
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
    if (wakeAtMs !== undefined && record.observation.active) {
      record.timer = timers.after(Math.max(0, wakeAtMs - nowMs), () => this.#step(record, false));
    }
  }

  #notify(record: ObservationRecord, attributes: NotificationAttributes): void {
    this.#host.notifying();
    const confirmable = attributes.con === undefined ? this.#host.confirmable : attributes.con === 1;
    record.observation.notify(this.#payload(record), { confirmable });
    record.history.length = 0;
  }

  #payload(record: ObservationRecord): CoapReply {
    try {
      const entries = readObserved(record, this.#host.shortServerId);
      const { history } = record;
      // The newest of the history is the present value, which the entries have.
      const past = history.slice(0, -1);
      const all = past.length === 0 ? entries : [...past, ...entries.map((entry) => this.#timed(entry))];
      return contentReply(record.format, record.base, all, modelsOf(record));
    } catch (error) {
      return errorReply(error);
    }
  }

  #timed(entry: Lwm2mEntry): Lwm2mEntry {
    return { ...entry, timeSeconds: Math.floor(this.#host.runtime.clock.wallMs() / 1000) };
  }

  /** hqmax: values between notifications are kept, as far as the format can carry their times. */
  #remember(record: ObservationRecord): void {
    const hqmax = Math.min(this.#attributesOf(record).hqmax ?? 0, HISTORY_MAX);
    const [place] = record.places;
    const carriesTime =
      record.format === CONTENT_FORMAT.SENML_CBOR || record.format === CONTENT_FORMAT.SENML_JSON;
    if (hqmax === 0 || place === undefined || place.path.depth < 3 || !carriesTime) return;
    const value = place.tree.value(place.path);
    if (value === undefined || isMultiple(value)) return;
    record.history.push(this.#timed(placed({ path: place.path, value }, place.prefix)));
    while (record.history.length > hqmax) record.history.shift();
  }

  #remove(record: ObservationRecord): void {
    record.timer?.cancel();
    const at = this.#records.indexOf(record);
    if (at >= 0) this.#records.splice(at, 1);
  }
}

/** What an observation shows now. */
function readObserved(observed: Observed, who: number): readonly Lwm2mEntry[] {
  const [first] = observed.places;
  if (!observed.composite && first !== undefined) {
    return readEntries(first.tree, first.path, who).map((entry) => placed(entry, first.prefix));
  }
  const byDevice = Map.groupBy(observed.places, ({ prefix }) => prefix);
  return [...byDevice].flatMap(([prefix, places]) => {
    const [any] = places;
    const paths = places.map(({ path }) => path);
    const entries = any === undefined ? [] : readComposite(any.tree, paths, who);
    return entries.map((entry) => placed(entry, prefix));
  });
}

function placed(entry: Lwm2mEntry, prefix: string | undefined): Lwm2mEntry {
  return prefix === undefined ? entry : { ...entry, prefix };
}

/** Definitions are shared between a gateway and the devices behind it. */
function modelsOf({ places }: Observed): ModelRegistry {
  const [first] = places;
  if (first === undefined) throw lwm2mError('LWM2M_BAD_REQUEST', 'nothing is observed');
  return first.tree.models;
}

/** 2.05 with what can be read of several paths, be it nothing (Core §6.3.1.2). */
export function compositeReply(observed: Observed, who: number): CoapReply {
  return contentReply(observed.format, observed.base, readObserved(observed, who), modelsOf(observed));
}

/** 2.05 with what is observed. */
export function observedReply(observed: Observed, who: number): CoapReply {
  const entries = readObserved(observed, who);
  if (entries.length === 0 && observed.composite) return { code: CODE.NOT_FOUND };
  return contentReply(observed.format, observed.base, entries, modelsOf(observed));
}

function sampleOf({ places, composite }: Observed): Sample {
  const [place] = places;
  if (composite || place === undefined || place.path.depth < 3) return undefined;
  const value = place.tree.value(place.path);
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

function sees(
  path: Lwm2mPath,
  objectId: number,
  instanceId: number | undefined,
  resourceId: number | undefined,
): boolean {
  if (path.objectId !== undefined && path.objectId !== objectId) return false;
  if (instanceId === undefined || path.instanceId === undefined) return true;
  if (path.instanceId !== instanceId) return false;
  return resourceId === undefined || path.resourceId === undefined || path.resourceId === resourceId;
}
