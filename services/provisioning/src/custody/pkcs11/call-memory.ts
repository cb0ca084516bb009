import { provisioningError } from '../../errors.ts';
import type { CKA } from './cryptoki-constants.ts';

/** One attribute of a template: a flag, a number, or bytes. */
export type Attribute = readonly [(typeof CKA)[keyof typeof CKA], boolean | bigint | Uint8Array];

/** struct CK_ATTRIBUTE and CK_MECHANISM: type, pointer, length. */
const TRIPLE_BYTES = 24;
const WORD = 8;
/** A card image and its tag, with room for templates. */
const MEMORY_BYTES = 0x4_0000;

/**
 * The memory that one call shares with the token: structures are laid out in it one behind the other, and all
 * of it is wiped afterwards, because PINs and opened secrets pass through. It lies outside of the JavaScript
 * heap and does not move.
 */
export class CallMemory {
  readonly #bytes = new Uint8Array(new ArrayBuffer(MEMORY_BYTES));
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #base: bigint;
  #used = 0;

  constructor(addressOf: (memory: ArrayBuffer) => bigint) {
    this.#base = addressOf(this.#bytes.buffer);
  }

  /** Room for `length` bytes, zero; the address of its first. */
  room(length: number): bigint {
    const at = this.#used;
    this.#used += Math.ceil(length / WORD) * WORD;
    if (this.#used <= MEMORY_BYTES) return this.#base + BigInt(at);
    throw provisioningError('CUSTODY_TOKEN_REFUSED', `at most ${MEMORY_BYTES} bytes fit into a call`);
  }

  /** Places bytes. */
  put(bytes: Uint8Array): bigint {
    const address = this.room(bytes.length);
    this.#bytes.set(bytes, Number(address - this.#base));
    return address;
  }

  /** Places one CK_ULONG. */
  word(value: bigint): bigint {
    const address = this.room(WORD);
    this.#view.setBigUint64(Number(address - this.#base), value, true);
    return address;
  }

  /** Places several CK_ULONG or pointers, one behind the other. */
  words(...values: readonly bigint[]): bigint {
    const address = this.room(values.length * WORD);
    const at = Number(address - this.#base);
    values.forEach((value, i) => this.#view.setBigUint64(at + i * WORD, value, true));
    return address;
  }

  /** Places a CK_MECHANISM. */
  mechanism(type: bigint, parameter = 0n, length = 0): bigint {
    return this.words(type, parameter, BigInt(length));
  }

  /** Places a CK_ATTRIBUTE array. */
  template(attributes: readonly Attribute[]): bigint {
    const entries = attributes.flatMap(([type, value]) => {
      const bytes = bytesOf(value);
      return [type, this.put(bytes), BigInt(bytes.length)];
    });
    return entries.length === 0 ? this.room(TRIPLE_BYTES) : this.words(...entries);
  }

  readWord(address: bigint): bigint {
    return this.#view.getBigUint64(Number(address - this.#base), true);
  }

  /** A copy of bytes that a call left. */
  read(address: bigint, length: number): Uint8Array {
    const at = Number(address - this.#base);
    return this.#bytes.slice(at, at + length);
  }

  /** Forgets everything. */
  wipe(): void {
    this.#bytes.fill(0, 0, Math.min(this.#used, MEMORY_BYTES));
    this.#used = 0;
  }
}

function bytesOf(value: boolean | bigint | Uint8Array): Uint8Array {
  if (typeof value === 'boolean') return Uint8Array.of(value ? 1 : 0);
  if (typeof value !== 'bigint') return value;
  const word = new Uint8Array(WORD);
  new DataView(word.buffer).setBigUint64(0, value, true);
  return word;
}
