import { CODE } from '@sefleet/coap';
import type { CoapReply } from '@sefleet/coap';
import { CONTENT_FORMAT, lwm2mError, readComposite, readEntries } from '@sefleet/lwm2m';
import type {
  ContentFormat,
  Lwm2mEntry,
  Lwm2mPath,
  ModelRegistry,
  NotificationAttributes,
  ObjectTree,
  Sample,
} from '@sefleet/lwm2m';
import { contentReply } from './reply.ts';

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

/** What an observation shows now. */
export function readObserved(observed: Observed, who: number): readonly Lwm2mEntry[] {
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

/** An entry as the server names it: below the prefix of an end device. */
export function placed(entry: Lwm2mEntry, prefix: string | undefined): Lwm2mEntry {
  return prefix === undefined ? entry : { ...entry, prefix };
}

/** Definitions are shared between a gateway and the devices behind it. */
export function modelsOf({ places }: Observed): ModelRegistry {
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

/** The value that thresholds look at. */
export function sampleOf({ places, composite }: Observed): Sample {
  const [place] = places;
  if (composite || place === undefined || place.path.depth < 3) return undefined;
  const value = place.tree.value(place.path);
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' || typeof value === 'boolean' ? value : undefined;
}

/** True when a change there is one of what lies at `path`. */
export function sees(
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

/** True for the same nodes in the same format: what one of them was to tell, the other may. */
export function observesAlike(a: Observed, b: Observed): boolean {
  return (
    a.format === b.format &&
    a.composite === b.composite &&
    a.places.length === b.places.length &&
    a.places.every(({ tree, path, prefix }, at) => {
      const other = b.places[at];
      return other?.tree === tree && other.prefix === prefix && other.path.toString() === path.toString();
    })
  );
}

/** Formats that can say when each of their values was measured. */
export function carriesTimes({ format }: Observed): boolean {
  return format === CONTENT_FORMAT.SENML_CBOR || format === CONTENT_FORMAT.SENML_JSON;
}
