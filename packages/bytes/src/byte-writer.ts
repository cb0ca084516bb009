/** Thrown by {@link ByteWriter} when its limit is reached or a value does not fit its field. */
export class ByteWriterError extends RangeError {
  constructor(message: string) {
    super(message);
    this.name = 'ByteWriterError';
  }
}

/**
 * A growing, big-endian byte buffer with an upper limit.
 *
 * @example
 * const writer = new ByteWriter();
 * writer.u8(0x16).lengthPrefixed(2, (body) => body.bytes(payload));
 * const datagram = writer.finish();
 */
export class ByteWriter {
  #data: Uint8Array;
  #length = 0;
  readonly #limit: number;

  constructor(initial = 64, limit = 0x1000000) {
    this.#data = new Uint8Array(Math.min(initial, limit));
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    return this.#unsigned(value, 1);
  }

  u16(value: number): this {
    return this.#unsigned(value, 2);
  }

  u24(value: number): this {
    return this.#unsigned(value, 3);
  }

  u32(value: number): this {
    return this.#unsigned(value, 4);
  }

  u48(value: number): this {
    return this.#unsigned(value, 6);
  }

  u64(value: bigint): this {
    return this.u32(Number((value >> 32n) & 0xffffffffn)).u32(Number(value & 0xffffffffn));
  }

  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#data.set(value, at);
    return this;
  }

  /** Writes what `body` writes, behind its length in `size` bytes. */
  lengthPrefixed(size: 1 | 2 | 3 | 4, body: (writer: this) => void): this {
    const at = this.#reserve(size);
    body(this);
    const length = this.#length - at - size;
    if (length >= 2 ** (8 * size))
      throw new ByteWriterError(`${length} bytes do not fit a ${size}-byte length`);
    for (let i = 0; i < size; i++) this.#data[at + i] = Math.floor(length / 2 ** (8 * (size - 1 - i))) & 0xff;
    return this;
  }

  /** The bytes written so far, as a copy of their own. */
  finish(): Uint8Array {
    return this.#data.slice(0, this.#length);
  }

  /** The bytes written so far, as a view that the next write may change. */
  view(): Uint8Array {
    return this.#data.subarray(0, this.#length);
  }

  #unsigned(value: number, size: number): this {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
      throw new ByteWriterError(`${value} does not fit ${size} unsigned bytes`);
    }
    const at = this.#reserve(size);
    for (let i = size - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256))
      this.#data[at + i] = rest & 0xff;
    return this;
  }

  #reserve(size: number): number {
    const at = this.#length;
    const needed = at + size;
    if (needed > this.#limit) throw new ByteWriterError(`more than the limit of ${this.#limit} bytes`);
    if (needed > this.#data.length) {
      const grown = new Uint8Array(Math.min(this.#limit, Math.max(needed, this.#data.length * 2)));
      grown.set(this.#data.subarray(0, at));
      this.#data = grown;
    }
    this.#length = needed;
    return at;
  }
}
