/** Lower-case hexadecimal, without separators. */
export function toHex(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
}

/**
 * Bytes from hexadecimal; blanks are ignored, anything else is a `RangeError`.
 *
 * @example fromHex('00 a4 04 00')
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replaceAll(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) {
    throw new RangeError('hexadecimal text needs an even number of digits 0-9 a-f');
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}
