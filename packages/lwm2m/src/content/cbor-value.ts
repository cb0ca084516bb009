import type { ModelRegistry } from '../model/model-registry.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { fitsType, integerFrom } from '../model/value.ts';
import type { Lwm2mValue, ResourceType } from '../model/value.ts';
import { CborFloat, CborTag, decodeCbor } from './cbor/cbor-reader.ts';
import type { CborItem } from './cbor/cbor-reader.ts';
import { CborWriter } from './cbor/cbor-writer.ts';
import type { Lwm2mEntry } from './entry.ts';
import {
  assertSingleBase,
  contentInvalid,
  decodingType,
  encodingType,
  linkText,
  onlyValue,
  parseLink,
} from './typed-value.ts';

/** RFC 8949 §3.4.2: seconds since 1970. */
const TAG_EPOCH = 1;
/** RFC 8949 §3.4.4: `[exponent, mantissa]`, to the base of ten. */
const TAG_DECIMAL_FRACTION = 4;
const TAG_UNSIGNED_BIGNUM = 2;
const TAG_NEGATIVE_BIGNUM = 3;

/** Content format 60: one value as one CBOR item (Core 1.1 §7.4.4). */
export function encodeCborValue(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  const value = onlyValue(base, entries);
  const writer = new CborWriter();
  writeCborValue(writer, value, encodingType(value, base, models));
  return writer.finish();
}

/** Content format 60. */
export function decodeCborValue(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
): readonly Lwm2mEntry[] {
  assertSingleBase(base);
  return [{ path: base, value: readCborValue(decodeCbor(payload), decodingType(base, models)) }];
}

/** Writes a value as the CBOR formats 60 and 11544 have it: times tagged, links as text. */
export function writeCborValue(writer: CborWriter, value: Lwm2mValue, type: ResourceType): void {
  if (typeof value === 'string') writer.text(value);
  else if (typeof value === 'boolean') writer.boolean(value);
  else if (value instanceof Uint8Array) writer.bytes(value);
  else if (typeof value === 'object') writer.text(linkText(value));
  else if (type === 'float') writer.float(Number(value));
  else if (type === 'time') writer.tag(TAG_EPOCH).integer(value);
  else writer.integer(value);
}

/**
 * Reads a CBOR item as `type`, or as what it is when no model tells. Throws the decode error when it does not
 * fit.
 */
export function readCborValue(item: CborItem, type: ResourceType | undefined): Lwm2mValue {
  const value = plainValue(item);
  if (type === undefined) return value;
  if (type === 'float' && typeof value === 'bigint') return Number(value);
  if (type === 'objlnk' && typeof value === 'string') return parseLink(value);
  if (type === 'time' && typeof value === 'number') return wholeNumber(value);
  if ((type === 'integer' || type === 'unsigned') && item instanceof CborFloat) {
    const whole = wholeNumber(item.value);
    if (fitsType(whole, type)) return whole;
  }
  if (!fitsType(value, type)) throw contentInvalid(`not of type ${type}`);
  return value;
}

function plainValue(item: CborItem): Lwm2mValue {
  switch (typeof item) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return item;
    default:
      if (item instanceof CborFloat) return item.value;
      if (item instanceof CborTag) return taggedValue(item);
      if (item instanceof Uint8Array) return item.slice();
      throw contentInvalid('not a value');
  }
}

function taggedValue({ tag, item }: CborTag): Lwm2mValue {
  if (tag === TAG_EPOCH) {
    const value = plainValue(item);
    if (typeof value === 'number' || typeof value === 'bigint') return value;
  }
  if (tag === TAG_DECIMAL_FRACTION && Array.isArray(item) && item.length === 2) {
    const [exponent, mantissa] = item.map((part: CborItem) => plainValue(part));
    if (typeof exponent === 'number' && (typeof mantissa === 'number' || typeof mantissa === 'bigint')) {
      return Number(`${mantissa}e${exponent}`);
    }
  }
  if ((tag === TAG_UNSIGNED_BIGNUM || tag === TAG_NEGATIVE_BIGNUM) && item instanceof Uint8Array) {
    if (item.length > 8) throw contentInvalid('integer beyond 64 bits');
    const magnitude = item.length === 0 ? 0n : BigInt(`0x${Buffer.from(item).toString('hex')}`);
    return integerFrom(tag === TAG_UNSIGNED_BIGNUM ? magnitude : -1n - magnitude);
  }
  throw contentInvalid('tag without a meaning here');
}

function wholeNumber(value: number): number {
  if (!Number.isSafeInteger(value)) throw contentInvalid('not a whole number');
  return value;
}
