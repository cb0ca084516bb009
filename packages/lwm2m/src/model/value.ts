import { lwm2mError } from '../errors.ts';

/** The data types of LwM2M 1.1 (Core appendix C). `none` is what executable resources have. */
export type ResourceType =
  | 'string'
  | 'integer'
  | 'unsigned'
  | 'float'
  | 'boolean'
  | 'opaque'
  | 'time'
  | 'objlnk'
  | 'corelnk'
  | 'none';

/** The value of an Objlnk resource. 65535:65535 is the null link (Core appendix C). */
export interface ObjectLink {
  readonly objectId: number;
  readonly instanceId: number;
}

/** The link that points nowhere. */
export const NULL_LINK: ObjectLink = { objectId: 65_535, instanceId: 65_535 };

/**
 * One value. By type: string and corelnk are `string`; integer, unsigned and time (seconds since 1970) are
 * `number`, or `bigint` beyond ±(2^53-1); float is `number`; boolean `boolean`; opaque `Uint8Array`; objlnk
 * {@link ObjectLink}.
 */
export type Lwm2mValue = string | number | bigint | boolean | Uint8Array | ObjectLink;

/** The value of a resource: one, or one by resource instance id. */
export type ResourceValue = Lwm2mValue | ReadonlyMap<number, Lwm2mValue>;

/** True for the value of a resource with several instances. */
export function isMultiple(value: ResourceValue): value is ReadonlyMap<number, Lwm2mValue> {
  return value instanceof Map;
}

/** True for the value of an Objlnk. */
export function isObjectLink(value: Lwm2mValue): value is ObjectLink {
  return typeof value === 'object' && 'objectId' in value;
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

/** True when `value` has the form that `type` asks for. */
export function fitsType(value: Lwm2mValue, type: ResourceType): boolean {
  switch (type) {
    case 'string':
    case 'corelnk':
      return typeof value === 'string';
    case 'integer':
    case 'time':
      return isInteger(value, INT64_MIN, INT64_MAX);
    case 'unsigned':
      return isInteger(value, 0n, UINT64_MAX);
    case 'float':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'opaque':
      return value instanceof Uint8Array;
    case 'objlnk':
      return isObjectLink(value) && isLinkId(value.objectId) && isLinkId(value.instanceId);
    case 'none':
      return false;
  }
}

/** Throws `LWM2M_VALUE_INVALID` unless `value` fits `type`. The value itself is not put into the error. */
export function assertFits(value: Lwm2mValue, type: ResourceType): void {
  if (!fitsType(value, type)) {
    throw lwm2mError('LWM2M_VALUE_INVALID', `the value is no ${type}`, { context: { type } });
  }
}

/** The smallest JavaScript form of a 64-bit integer: `number` when it is exact, `bigint` when not. */
export function integerFrom(value: bigint): number | bigint {
  return value >= -0x1fffffffffffffn && value <= 0x1fffffffffffffn ? Number(value) : value;
}

/** The type that a value has when no model names one. */
export function typeOfValue(value: Lwm2mValue): ResourceType {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'bigint':
      return value > INT64_MAX ? 'unsigned' : 'integer';
    case 'number':
      return Number.isSafeInteger(value) ? 'integer' : 'float';
    default:
      return value instanceof Uint8Array ? 'opaque' : 'objlnk';
  }
}

/** True when both are the same value of the same kind. */
export function valuesEqual(a: Lwm2mValue, b: Lwm2mValue): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (typeof a === 'object' && typeof b === 'object' && isObjectLink(a) && isObjectLink(b)) {
    return a.objectId === b.objectId && a.instanceId === b.instanceId;
  }
  return typeof a === 'number' && typeof b === 'number' && Number.isNaN(a) && Number.isNaN(b);
}

function isInteger(value: Lwm2mValue, min: bigint, max: bigint): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && (min < 0n || value >= 0);
  return typeof value === 'bigint' && value >= min && value <= max;
}

function isLinkId(id: number): boolean {
  return Number.isInteger(id) && id >= 0 && id <= 65_535;
}
