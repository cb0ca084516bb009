import { ByteReader, ByteReaderError } from '@sefleet/bytes';
import { lwm2mError } from '../../errors.ts';
import { integerFrom } from '../../model/value.ts';

/** A decoded CBOR item. Maps keep their order, since their keys may be arrays (LwM2M CBOR). */
export type CborItem =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly CborItem[]
  | CborFloat
  | CborMap
  | CborTag;

/** A map as its pairs, in the order of the wire; keys are distinct. */
export class CborMap {
  readonly pairs: readonly (readonly [CborItem, CborItem])[];
  constructor(pairs: readonly (readonly [CborItem, CborItem])[]) {
    this.pairs = pairs;
  }
}

/** A tagged item. */
export class CborTag {
  readonly tag: number | bigint;
  readonly item: CborItem;
  constructor(tag: number | bigint, item: CborItem) {
    this.tag = tag;
    this.item = item;
  }
}

/** A floating-point number, kept apart from integers so that untyped resources keep their type. */
export class CborFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Nesting that LwM2M formats can need is 5 (LwM2M CBOR) plus tags; beyond it, input is hostile. */
const DEPTH_MAX = 12;
/** Items in one payload: 64 KiB of one-byte items would otherwise cost 100 times their size in memory. */
const ITEMS_MAX = 20_000;
const BREAK = Symbol('break');
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes exactly one CBOR item (RFC 8949), definite or indefinite in length. Throws `LWM2M_CONTENT_INVALID`
 * on truncation, trailing bytes, duplicate keys, reserved heads, malformed UTF-8 and excess of depth or
 * items.
 */
export function decodeCbor(data: Uint8Array): CborItem {
  try {
    const decoder = new Decoder(new ByteReader(data));
    const item = decoder.item(0);
    decoder.reader.end();
    return item;
  } catch (error) {
    if (error instanceof ByteReaderError) throw invalid('truncated or trailing CBOR', error);
    throw error;
  }
}

class Decoder {
  readonly reader: ByteReader;
  #items = 0;

  constructor(reader: ByteReader) {
    this.reader = reader;
  }

  item(depth: number): CborItem {
    const item = this.#itemOrBreak(depth);
    if (item === BREAK) throw invalid('unexpected break');
    return item;
  }

  #itemOrBreak(depth: number): CborItem | typeof BREAK {
    if (depth > DEPTH_MAX) throw invalid('nested too deeply');
    if (++this.#items > ITEMS_MAX) throw invalid('too many items');
    const head = this.reader.u8();
    const info = head & 0x1f;
    switch (head >> 5) {
      case 0:
        return this.#argument(info);
      case 1:
        return negative(this.#argument(info));
      case 2:
        return info === 31 ? this.#chunks(2) : this.reader.bytes(this.#length(info));
      case 3:
        return text(info === 31 ? this.#chunks(3) : this.reader.bytes(this.#length(info)));
      case 4:
        return this.#array(info, depth);
      case 5:
        return this.#map(info, depth);
      case 6:
        return new CborTag(this.#argument(info), this.item(depth + 1));
      default:
        return this.#simple(info);
    }
  }

  #argument(info: number): number | bigint {
    if (info < 24) return info;
    if (info === 24) return this.reader.u8();
    if (info === 25) return this.reader.u16();
    if (info === 26) return this.reader.u32();
    if (info === 27) return integerFrom(this.reader.u64());
    throw invalid('reserved length');
  }

  #length(info: number): number {
    const length = this.#argument(info);
    if (typeof length === 'bigint' || length > this.reader.remaining) throw invalid('length beyond the end');
    return length;
  }

  #chunks(major: 2 | 3): Uint8Array {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const head = this.reader.u8();
      if (head === 0xff) return Buffer.concat(chunks);
      if (head >> 5 !== major || (head & 0x1f) === 31) throw invalid('wrong chunk');
      if (++this.#items > ITEMS_MAX) throw invalid('too many items');
      chunks.push(this.reader.bytes(this.#length(head & 0x1f)));
    }
  }

  #array(info: number, depth: number): readonly CborItem[] {
    const items: CborItem[] = [];
    if (info === 31) {
      for (let next = this.#itemOrBreak(depth + 1); next !== BREAK; next = this.#itemOrBreak(depth + 1)) {
        items.push(next);
      }
      return items;
    }
    const length = this.#length(info);
    for (let i = 0; i < length; i++) items.push(this.item(depth + 1));
    return items;
  }

  #map(info: number, depth: number): CborMap {
    const pairs: (readonly [CborItem, CborItem])[] = [];
    const length = info === 31 ? Infinity : this.#length(info);
    const keys = new Set<unknown>();
    while (pairs.length < length) {
      const key = this.#itemOrBreak(depth + 1);
      if (key === BREAK) {
        if (length !== Infinity) throw invalid('unexpected break');
        break;
      }
      const identity = typeof key === 'object' ? keyText(key) : key;
      if (keys.has(identity)) throw invalid('duplicate key');
      keys.add(identity);
      pairs.push([key, this.item(depth + 1)]);
    }
    return new CborMap(pairs);
  }

  #simple(info: number): CborItem | typeof BREAK {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 23:
        return undefined;
      case 25:
        return new CborFloat(halfFloat(this.reader.u16()));
      case 26:
        return new CborFloat(floatView(this.reader.bytes(4)).getFloat32(0));
      case 27:
        return new CborFloat(floatView(this.reader.bytes(8)).getFloat64(0));
      case 31:
        return BREAK;
      default:
        throw invalid('simple value without a meaning');
    }
  }
}

function negative(argument: number | bigint): number | bigint {
  return typeof argument === 'number' ? integerFrom(-1n - BigInt(argument)) : -1n - argument;
}

function text(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw invalid('malformed UTF-8', error);
  }
}

/** A key that is an array or bytes, as text, so that a set can tell duplicates. */
function keyText(key: CborItem): string {
  if (Array.isArray(key)) return `[${key.map(keyText).join()}]`;
  if (key instanceof Uint8Array) return `h'${Buffer.from(key).toString('hex')}'`;
  if (key instanceof CborFloat) return `f${key.value}`;
  if (typeof key === 'object' && key !== null) throw invalid('key of an odd type');
  return `${typeof key} ${String(key)}`;
}

function floatView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** RFC 8949 appendix D. */
function halfFloat(half: number): number {
  const exponent = (half >> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent !== 31) return sign * (mantissa + 1024) * 2 ** (exponent - 25);
  return mantissa === 0 ? sign * Infinity : NaN;
}

function invalid(message: string, cause?: unknown): Error {
  return lwm2mError('LWM2M_CONTENT_INVALID', `CBOR: ${message}`, { cause });
}
