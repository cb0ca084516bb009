import { lwm2mError } from '../errors.ts';

/** The largest id of an object, instance, resource or resource instance; 65535 is reserved (Core §7.1). */
export const ID_MAX = 65_534;

/**
 * The place of a node in the LwM2M tree: root, object, object instance, resource or resource instance.
 *
 * Immutable. An id that is absent is `undefined`, and then so are the ones behind it.
 *
 * @example
 * const path = Lwm2mPath.parse('/3303/0/5700');
 * path.child(2).toString(); // '/3303/0/5700/2'
 */
export class Lwm2mPath {
  static readonly ROOT = new Lwm2mPath();
  readonly objectId: number | undefined;
  readonly instanceId: number | undefined;
  readonly resourceId: number | undefined;
  readonly resourceInstanceId: number | undefined;

  constructor(objectId?: number, instanceId?: number, resourceId?: number, resourceInstanceId?: number) {
    this.objectId = objectId;
    this.instanceId = instanceId;
    this.resourceId = resourceId;
    this.resourceInstanceId = resourceInstanceId;
  }

  /** Reads `/3/0/1`, `3/0/1` or `/` (root). Throws `LWM2M_PATH_INVALID`. */
  static parse(text: string): Lwm2mPath {
    const path = Lwm2mPath.tryParse(text);
    if (path === undefined)
      throw lwm2mError('LWM2M_PATH_INVALID', 'not an LwM2M path', { context: { text } });
    return path;
  }

  /**
   * As {@link Lwm2mPath.parse}, but undefined when the text is no path. For the hot path and for peers'
   * input.
   */
  static tryParse(text: string): Lwm2mPath | undefined {
    return Lwm2mPath.fromSegments(splitPath(text));
  }

  /** A path from its segments, as CoAP's Uri-Path options carry them; undefined when one is not an id. */
  static fromSegments(segments: readonly string[]): Lwm2mPath | undefined {
    if (segments.length === 0) return Lwm2mPath.ROOT;
    if (segments.length > 4) return undefined;
    const ids: (number | undefined)[] = [undefined, undefined, undefined, undefined];
    for (let i = 0; i < segments.length; i++) {
      const id = parseId(segments[i] ?? '');
      if (id === undefined) return undefined;
      ids[i] = id;
    }
    return new Lwm2mPath(ids[0], ids[1], ids[2], ids[3]);
  }

  /** 0 root, 1 object, 2 object instance, 3 resource, 4 resource instance. */
  get depth(): 0 | 1 | 2 | 3 | 4 {
    if (this.objectId === undefined) return 0;
    if (this.instanceId === undefined) return 1;
    if (this.resourceId === undefined) return 2;
    return this.resourceInstanceId === undefined ? 3 : 4;
  }

  /** The node `id` below this one. Throws `LWM2M_PATH_INVALID` below a resource instance. */
  child(id: number): Lwm2mPath {
    if (this.objectId === undefined) return new Lwm2mPath(id);
    if (this.instanceId === undefined) return new Lwm2mPath(this.objectId, id);
    if (this.resourceId === undefined) return new Lwm2mPath(this.objectId, this.instanceId, id);
    if (this.resourceInstanceId !== undefined) {
      throw lwm2mError('LWM2M_PATH_INVALID', 'nothing lies below a resource instance');
    }
    return new Lwm2mPath(this.objectId, this.instanceId, this.resourceId, id);
  }

  /** The node above; the root's parent is the root. */
  get parent(): Lwm2mPath {
    switch (this.depth) {
      case 4:
        return new Lwm2mPath(this.objectId, this.instanceId, this.resourceId);
      case 3:
        return new Lwm2mPath(this.objectId, this.instanceId);
      case 2:
        return new Lwm2mPath(this.objectId);
      default:
        return Lwm2mPath.ROOT;
    }
  }

  /** True when `other` is this node or lies below it. */
  contains(other: Lwm2mPath): boolean {
    if (this.objectId === undefined) return true;
    if (this.objectId !== other.objectId) return false;
    if (this.instanceId === undefined) return true;
    if (this.instanceId !== other.instanceId) return false;
    if (this.resourceId === undefined) return true;
    if (this.resourceId !== other.resourceId) return false;
    return this.resourceInstanceId === undefined || this.resourceInstanceId === other.resourceInstanceId;
  }

  equals(other: Lwm2mPath): boolean {
    return (
      this.objectId === other.objectId &&
      this.instanceId === other.instanceId &&
      this.resourceId === other.resourceId &&
      this.resourceInstanceId === other.resourceInstanceId
    );
  }

  /** The ids from the object down. */
  ids(): number[] {
    const ids = [this.objectId, this.instanceId, this.resourceId, this.resourceInstanceId];
    return ids.filter((id) => id !== undefined);
  }

  toString(): string {
    if (this.objectId === undefined) return '/';
    if (this.instanceId === undefined) return `/${this.objectId}`;
    if (this.resourceId === undefined) return `/${this.objectId}/${this.instanceId}`;
    if (this.resourceInstanceId === undefined) {
      return `/${this.objectId}/${this.instanceId}/${this.resourceId}`;
    }
    return `/${this.objectId}/${this.instanceId}/${this.resourceId}/${this.resourceInstanceId}`;
  }
}

function splitPath(text: string): string[] {
  const body = text.startsWith('/') ? text.slice(1) : text;
  return body === '' ? [] : body.split('/', 6);
}

/** Decimal, without sign or leading zeros, so that one node has one name. */
function parseId(text: string): number | undefined {
  if (text.length === 0 || text.length > 5) return undefined;
  let id = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    id = id * 10 + digit;
  }
  if (text.length > 1 && text.startsWith('0')) return undefined;
  return id <= ID_MAX ? id : undefined;
}
