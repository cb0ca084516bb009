import { fromHex } from '@sefleet/bytes';

/** A number from big-endian bytes. */
export function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}

/** A number as big-endian bytes of a length that holds it. */
export function toBytes(value: bigint, length: number): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * length, '0'));
}

/** The inverse modulo a prime by the extended Euclidean algorithm. */
export function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [((value % modulus) + modulus) % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}

/** `base` to the power of `exponent` modulo `modulus`; nothing secret goes in here. */
export function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (
    let square = base % modulus, rest = exponent;
    rest > 0n;
    rest >>= 1n, square = (square * square) % modulus
  ) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
  }
  return result;
}
