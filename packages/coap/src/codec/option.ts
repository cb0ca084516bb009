/** One option of a message: its number and the bytes of its value (RFC 7252 §3.1). */
export interface CoapOption {
  readonly number: number;
  readonly value: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** An option with an unsigned integer, in as few bytes as hold it (RFC 7252 §3.2). */
export function uintOption(number: number, value: number): CoapOption {
  return { number, value: encodeUint(value) };
}

/** An option with text, as UTF-8 (RFC 7252 §3.2). */
export function stringOption(number: number, value: string): CoapOption {
  return { number, value: encodeText(value) };
}

/** The first option with that number, or undefined. */
export function findOption(options: readonly CoapOption[], number: number): Uint8Array | undefined {
  for (const option of options) {
    if (option.number === number) return option.value;
    // Options come in ascending order (RFC 7252 §3.1).
    if (option.number > number) return undefined;
  }
  return undefined;
}

/** The unsigned integer of the first option with that number, or undefined. */
export function findUint(options: readonly CoapOption[], number: number): number | undefined {
  const value = findOption(options, number);
  return value === undefined ? undefined : decodeUint(value);
}

/** All options with that number, as text. */
export function findStrings(options: readonly CoapOption[], number: number): string[] {
  const found: string[] = [];
  for (const option of options) if (option.number === number) found.push(decodeText(option.value));
  return found;
}

/** Big-endian; leading zero bytes are allowed in what is received (RFC 7252 §3.2). */
export function decodeUint(value: Uint8Array): number {
  let result = 0;
  for (const byte of value) result = result * 256 + byte;
  return result;
}

export function encodeUint(value: number): Uint8Array {
  if (value === 0) return EMPTY;
  let length = 1;
  while (length < 6 && value >= 2 ** (8 * length)) length++;
  const encoded = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) encoded[i] = rest & 0xff;
  return encoded;
}

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder();

export function encodeText(text: string): Uint8Array {
  return textEncoder.encode(text);
}

/** Short ASCII, which nearly all paths and queries are, is several times faster without the decoder. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes.length > 24) return textDecoder.decode(bytes);
  let text = '';
  for (const byte of bytes) {
    if (byte > 0x7f) return textDecoder.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}
