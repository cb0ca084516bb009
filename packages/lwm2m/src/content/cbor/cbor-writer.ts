import { ByteWriter } from '@sefleet/bytes';

const FLOAT = new DataView(new ArrayBuffer(8));
const UTF8 = new TextEncoder();

/** Writes CBOR (RFC 8949) with definite lengths and shortest heads. */
export class CborWriter {
  readonly #out: ByteWriter;

  constructor(out: ByteWriter = new ByteWriter(128)) {
    this.#out = out;
  }

  finish(): Uint8Array {
    return this.#out.finish();
  }

  array(length: number): this {
    return this.#head(4, length);
  }

  map(pairs: number): this {
    return this.#head(5, pairs);
  }

  tag(tag: number): this {
    return this.#head(6, tag);
  }

  integer(value: number | bigint): this {
    if (typeof value === 'number') return value >= 0 ? this.#head(0, value) : this.#head(1, -1 - value);
    return value >= 0n ? this.#head64(0, value) : this.#head64(1, -1n - value);
  }

  /** Single precision when it is exact, else double: constrained peers often read no half precision. */
  float(value: number): this {
    if (Object.is(Math.fround(value), value)) {
      FLOAT.setFloat32(0, value);
      this.#out.u8(0xfa).u32(FLOAT.getUint32(0));
    } else {
      FLOAT.setFloat64(0, value);
      this.#out.u8(0xfb).u32(FLOAT.getUint32(0)).u32(FLOAT.getUint32(4));
    }
    return this;
  }

  text(value: string): this {
    const bytes = UTF8.encode(value);
    this.#head(3, bytes.length);
    this.#out.bytes(bytes);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#head(2, value.length);
    this.#out.bytes(value);
    return this;
  }

  boolean(value: boolean): this {
    this.#out.u8(value ? 0xf5 : 0xf4);
    return this;
  }

  null(): this {
    this.#out.u8(0xf6);
    return this;
  }

  #head(major: number, argument: number): this {
    const type = major << 5;
    if (argument < 24) this.#out.u8(type | argument);
    else if (argument < 0x100) this.#out.u8(type | 24).u8(argument);
    else if (argument < 0x10000) this.#out.u8(type | 25).u16(argument);
    else if (argument < 0x100000000) this.#out.u8(type | 26).u32(argument);
    else this.#out.u8(type | 27).u64(BigInt(argument));
    return this;
  }

  #head64(major: number, argument: bigint): this {
    if (argument < 0x100000000n) return this.#head(major, Number(argument));
    this.#out.u8((major << 5) | 27).u64(argument);
    return this;
  }
}
