import { lwm2mError } from '../errors.ts';
import { Lwm2mPath } from '../model/path.ts';
import type { ResourceType } from '../model/value.ts';
import type { Requester } from './access-control.ts';

/**
 * Notification attributes (Core §5.1.2 of 1.1; `con`, `edge` and `hqmax` of 1.2): periods in seconds,
 * thresholds in the resource's unit.
 */
export interface NotificationAttributes {
  readonly pmin?: number;
  readonly pmax?: number;
  readonly epmin?: number;
  readonly epmax?: number;
  readonly gt?: number;
  readonly lt?: number;
  readonly st?: number;
  readonly edge?: number;
  readonly con?: number;
  readonly hqmax?: number;
}

export type AttributeName = keyof NotificationAttributes;
/** A Write-Attributes: the new value of each, or null to take it away. */
export type AttributeChange = { readonly [name in AttributeName]?: number | null };

interface AttributeRule {
  readonly pattern: RegExp;
  /** The pattern in words. */
  readonly range: string;
  readonly resourceOnly: boolean;
}

const SECONDS = { pattern: /^\d{1,9}$/, range: '0 to 999999999 whole seconds', resourceOnly: false };
const THRESHOLD = { pattern: /^-?\d+(\.\d+)?$/, range: 'a decimal number', resourceOnly: true };
const FLAG = { pattern: /^[01]$/, range: '0 or 1' };

/** How an attribute is written, and where it may stand. */
const RULES: Readonly<Record<AttributeName, AttributeRule>> = {
  pmin: SECONDS,
  pmax: SECONDS,
  epmin: SECONDS,
  epmax: SECONDS,
  gt: THRESHOLD,
  lt: THRESHOLD,
  st: { pattern: /^\d+(\.\d+)?$/, range: 'a decimal number, 0 or more', resourceOnly: true },
  edge: { ...FLAG, resourceOnly: true },
  con: { ...FLAG, resourceOnly: false },
  hqmax: { pattern: /^\d{1,6}$/, range: '0 to 999999', resourceOnly: false },
};
const NUMERIC: ReadonlySet<ResourceType> = new Set(['integer', 'unsigned', 'float', 'time']);
/** Places with attributes, per device: a server sets them on resources that it observes. */
const PLACES_MAX = 1_000;
/** Longest text of a threshold. */
const TEXT_MAX = 40;

/**
 * Reads the queries of a Write-Attributes (`pmin=10`, `gt=25.5`, or `pmin` alone to take it away).
 *
 * @throws SefleetError `LWM2M_BAD_REQUEST`
 */
export function parseAttributeQueries(queries: readonly string[]): AttributeChange {
  const change: { [name in AttributeName]?: number | null } = {};
  for (const query of queries) {
    const separator = query.indexOf('=');
    const name = separator < 0 ? query : query.slice(0, separator);
    if (!isAttributeName(name))
      throw lwm2mError(
        'LWM2M_BAD_REQUEST',
        `unknown attribute '${name.slice(0, TEXT_MAX)}': there are ${Object.keys(RULES).join(', ')}`,
      );
    if (separator < 0) {
      change[name] = null;
      continue;
    }
    const text = query.slice(separator + 1);
    if (text.length > TEXT_MAX || !RULES[name].pattern.test(text)) {
      throw lwm2mError('LWM2M_BAD_REQUEST', `attribute ${name} is ${RULES[name].range}`);
    }
    change[name] = Number(text);
  }
  return change;
}

/** The queries of a Write-Attributes. */
export function formatAttributeQueries(change: AttributeChange): string[] {
  return Object.entries(change).map(([name, value]) => (value === null ? name : `${name}=${value}`));
}

/** Attributes as Discover shows them. */
export function attributeTexts(attributes: NotificationAttributes): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(attributes)) texts.set(name, String(value));
  return texts;
}

/** Notification attributes given with an Observe request (LwM2M 1.2 §6.4.1); undefined when it has none. */
export function observeAttributes(queries: readonly string[]): NotificationAttributes | undefined {
  const known = queries.filter((query) => isAttributeName(query.split('=', 1)[0] ?? ''));
  if (known.length === 0) return undefined;
  return merge({}, parseAttributeQueries(known));
}

/** The attributes that servers have set on the nodes of one device, each server its own (Core §5.1.1). */
export class AttributeStore {
  readonly #places = new Map<string, NotificationAttributes>();

  /**
   * Applies a Write-Attributes at `path`; `type` is the type of the resource there, if it is one.
   *
   * @throws SefleetError `LWM2M_BAD_REQUEST` when an attribute does not fit the place or contradicts another
   */
  write(who: Requester, path: Lwm2mPath, change: AttributeChange, type: ResourceType | undefined): void {
    checkPlace(path, change, type);
    const key = keyOf(who, path);
    const next = merge(this.#places.get(key) ?? {}, change);
    const inherited = merge(this.#inherited(who, path.parent), next);
    const { gt, lt, st = 0 } = inherited;
    // Core §5.1.2: the thresholds have to leave room for the step on both sides.
    if (gt !== undefined && lt !== undefined && !(lt + 2 * st < gt)) {
      throw lwm2mError('LWM2M_BAD_REQUEST', 'lt + 2 * st has to be below gt');
    }
    if (Object.keys(next).length === 0) this.#places.delete(key);
    else if (this.#places.size < PLACES_MAX || this.#places.has(key)) this.#places.set(key, next);
    else throw lwm2mError('LWM2M_BAD_REQUEST', 'too many places with attributes');
  }

  /** What `who` has set at exactly `path`. */
  at(who: Requester, path: Lwm2mPath): NotificationAttributes {
    return this.#places.get(keyOf(who, path)) ?? {};
  }

  /** What counts at `path`: its own attributes, then those of the nodes above it. */
  effective(who: Requester, path: Lwm2mPath): NotificationAttributes {
    return this.#places.size === 0 ? {} : this.#inherited(who, path);
  }

  /** Drops everything that was set at or below `path`, by all servers. */
  forget(path: Lwm2mPath): void {
    for (const key of this.#places.keys()) {
      const place = Lwm2mPath.tryParse(key.slice(key.indexOf('/')));
      if (place !== undefined && path.contains(place)) this.#places.delete(key);
    }
  }

  /** Drops everything that `who` has set. */
  forgetServer(who: Requester): void {
    for (const key of this.#places.keys()) if (key.startsWith(`${who}/`)) this.#places.delete(key);
  }

  #inherited(who: Requester, path: Lwm2mPath): NotificationAttributes {
    const own = this.at(who, path);
    return path.depth <= 1 ? own : { ...this.#inherited(who, path.parent), ...own };
  }
}

function keyOf(who: Requester, path: Lwm2mPath): string {
  return `${who}${path.toString()}`;
}

function merge(attributes: NotificationAttributes, change: AttributeChange): NotificationAttributes {
  const next: { [name in AttributeName]?: number | null } = { ...attributes, ...change };
  const merged: { [name in AttributeName]?: number } = {};
  for (const [name, value] of Object.entries(next)) {
    if (isAttributeName(name) && value !== null && value !== undefined) merged[name] = value;
  }
  return merged;
}

function checkPlace(path: Lwm2mPath, change: AttributeChange, type: ResourceType | undefined): void {
  if (path.depth === 0) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the root takes no attributes');
  for (const name of Object.keys(change)) {
    if (!isAttributeName(name) || !RULES[name].resourceOnly || change[name] === null) continue;
    const fits = name === 'edge' ? type === 'boolean' : type === undefined || NUMERIC.has(type);
    if (path.depth < 3 || !fits)
      throw lwm2mError('LWM2M_BAD_REQUEST', `${name} does not fit ${path.toString()}`);
  }
}

function isAttributeName(name: string): name is AttributeName {
  return Object.hasOwn(RULES, name);
}
