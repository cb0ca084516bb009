import { ByteReader, ByteReaderError, concatBytes } from '@sefleet/bytes';
import { globalPlatformError } from '../errors.ts';

/**
 * A BER-TLV data object: the tag as a number (`0x9f7f`, `0x4f`) and its value, a view where it was decoded.
 */
export interface Tlv {
  readonly tag: number;
  readonly value: Uint8Array;
}

/** More data objects than this in one list is no card data that this project knows. */
const MAX_OBJECTS = 512;

/**
 * The data objects in `bytes`, one level deep; decode the value of a constructed one in its turn.
 *
 * @throws SefleetError `GP_TLV_MALFORMED` on truncation, indefinite or oversized lengths and tags of over 3
 * bytes.
 * @example decodeTlvs(fromHex('4f05a000000151')) // [{ tag: 0x4f, value }]
 */
export function decodeTlvs(bytes: Uint8Array): readonly Tlv[] {
  try {
    const reader = new ByteReader(bytes);
    const objects: Tlv[] = [];
    while (reader.remaining > 0) {
      if (objects.length === MAX_OBJECTS) throw malformed('too many data objects');
      objects.push(readTlv(reader));
    }
    return objects;
  } catch (error) {
    if (error instanceof ByteReaderError) throw malformed('a data object is truncated', error);
    throw error;
  }
}

/** Reads one data object; a `ByteReaderError` when the reader ends too early. */
export function readTlv(reader: ByteReader): Tlv {
  const tag = readTag(reader);
  return { tag, value: reader.bytes(readLength(reader)) };
}

/** Exactly one data object with this tag, and nothing behind it: its value. */
export function decodeOnlyTlv(bytes: Uint8Array, tag: number): Uint8Array {
  const objects = decodeTlvs(bytes);
  const [only] = objects;
  if (objects.length !== 1 || only === undefined || only.tag !== tag) {
    throw globalPlatformError('GP_TLV_UNEXPECTED', `expected one data object ${tagName(tag)}`, {
      context: { tags: objects.map((object) => tagName(object.tag)) },
    });
  }
  return only.value;
}

/** The value of the first object with `tag`, or undefined. */
export function findTlv(objects: readonly Tlv[], tag: number): Uint8Array | undefined {
  for (const object of objects) if (object.tag === tag) return object.value;
  return undefined;
}

/** The value of the first object with `tag`; `GP_TLV_UNEXPECTED` when there is none. */
export function requireTlv(objects: readonly Tlv[], tag: number): Uint8Array {
  const value = findTlv(objects, tag);
  if (value === undefined) {
    throw globalPlatformError('GP_TLV_UNEXPECTED', `data object ${tagName(tag)} is missing`, {
      context: { tags: objects.map((object) => tagName(object.tag)) },
    });
  }
  return value;
}

/**
 * One data object with the shortest length field.
 *
 * @param value The value, or the parts of which it consists.
 * @example encodeTlv(0x4f, aidBytes(domain))
 */
export function encodeTlv(tag: number, ...value: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of value) length += part.length;
  const tagLength = tag > 0xffff ? 3 : tag > 0xff ? 2 : 1;
  const lengthLength = length < 0x80 ? 1 : length < 0x100 ? 2 : length < 0x10000 ? 3 : 4;
  const bytes = new Uint8Array(tagLength + lengthLength + length);
  for (let i = 0; i < tagLength; i++) bytes[i] = tag >> (8 * (tagLength - 1 - i));
  if (lengthLength === 1) bytes[tagLength] = length;
  else {
    bytes[tagLength] = 0x80 | (lengthLength - 1);
    for (let i = 1; i < lengthLength; i++) bytes[tagLength + i] = length >> (8 * (lengthLength - 1 - i));
  }
  let at = tagLength + lengthLength;
  for (const part of value) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Several data objects, one behind the other. */
export function encodeTlvs(objects: readonly Tlv[]): Uint8Array {
  return concatBytes(...objects.map((object) => encodeTlv(object.tag, object.value)));
}

/** The tags in a tag list (5C), one behind the other; `GP_TLV_MALFORMED` when the last one is cut short. */
export function decodeTagList(bytes: Uint8Array): readonly number[] {
  try {
    const reader = new ByteReader(bytes);
    const tags: number[] = [];
    while (reader.remaining > 0) tags.push(readTag(reader));
    return tags;
  } catch (error) {
    if (error instanceof ByteReaderError) throw malformed('a tag list is truncated', error);
    throw error;
  }
}

/** A tag in hexadecimal, for messages. */
export function tagName(tag: number): string {
  const digits = tag.toString(16).toUpperCase();
  return digits.length % 2 === 0 ? digits : `0${digits}`;
}

function readTag(reader: ByteReader): number {
  const first = reader.u8();
  if ((first & 0x1f) !== 0x1f) return first;
  let tag = first;
  for (let i = 0; i < 2; i++) {
    const next = reader.u8();
    tag = (tag << 8) | next;
    if ((next & 0x80) === 0) return tag;
  }
  throw malformed('a tag has more than three bytes');
}

function readLength(reader: ByteReader): number {
  const first = reader.u8();
  if (first < 0x80) return first;
  if (first === 0x81) return reader.u8();
  if (first === 0x82) return reader.u16();
  if (first === 0x83) return reader.u24();
  throw malformed('a length field has none or more than three bytes');
}

function malformed(message: string, cause?: unknown) {
  return globalPlatformError('GP_TLV_MALFORMED', message, { cause });
}
