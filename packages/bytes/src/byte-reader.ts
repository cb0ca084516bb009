/**
 * Thrown by {@link ByteReader} when the input ends too early, has bytes left over or breaks its own lengths.
 * Codecs catch it at their door and throw their own decode error with it as cause.
 */
export class ByteReaderError extends RangeError {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'ByteReaderError';
    this.offset = offset;
  }
}

/**
 * A bounded, big-endian view on bytes. It never reads past its end and never copies: `bytes` and `sub` return
 * views.
 *
 * @example
 * const reader = new ByteReader(Uint8Array.of(0x01, 0x02, 0xaa));
 * const body = reader.sub(reader.u8() + 1);
 * body.u16(); // 0x02aa
 * body.end();
 */
export class ByteReader {
  readonly #data: Uint8Array;
  #offset: number;
  readonly #end: number;

  constructor(data: Uint8Array, start = 0, end = data.length) {
    if (start < 0 || end > data.length || start > end) {
      throw new ByteReaderError(`range ${start}..${end} lies outside of ${data.length} bytes`, start);
    }
    this.#data = data;
    this.#offset = start;
    this.#end = end;
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.#end - this.#offset;
  }

  /** Position in the underlying array. */
  get offset(): number {
    return this.#offset;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#data[at] ?? 0;
  }

  u16(): number {
    const at = this.#take(2);
    return ((this.#data[at] ?? 0) << 8) | (this.#data[at + 1] ?? 0);
  }

  u24(): number {
    const at = this.#take(3);
    return ((this.#data[at] ?? 0) << 16) | ((this.#data[at + 1] ?? 0) << 8) | (this.#data[at + 2] ?? 0);
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  /** An unsigned 48-bit integer; it fits a double exactly. */
  u48(): number {
    return this.u16() * 0x100000000 + this.u32();
  }

  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }

  /** The next byte without consuming it, or undefined at the end. */
  peek(): number | undefined {
    return this.#offset < this.#end ? this.#data[this.#offset] : undefined;
  }

  /** A view of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#data.subarray(at, at + length);
  }

  /** A view of everything that is left. */
  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  /** A reader on the next `length` bytes that cannot leave them. */
  sub(length: number): ByteReader {
    const at = this.#take(length);
    return new ByteReader(this.#data, at, at + length);
  }

  /** Fails unless everything was read. */
  end(): void {
    if (this.remaining !== 0) throw new ByteReaderError(`${this.remaining} trailing bytes`, this.#offset);
  }

  #take(length: number): number {
    if (length < 0 || !Number.isInteger(length) || length > this.#end - this.#offset) {
      throw new ByteReaderError(`${length} bytes asked, ${this.#end - this.#offset} left`, this.#offset);
    }
    const at = this.#offset;
    this.#offset += length;
    return at;
  }
}
