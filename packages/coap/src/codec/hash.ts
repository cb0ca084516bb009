const FNV_PRIME = 0x01000193;
const MURMUR_PRIME = 0x5bd1e995;
const GOLDEN = 0x9e3779b9;

/**
 * A hash of 64 bits in two halves, filled anew for each message so that the hot path makes no object. `seed`
 * keeps outsiders from choosing collisions; it is no MAC.
 */
export class Fingerprint {
  a = 0;
  b = 0;

  /** Of a text and the first `length` bytes of `data`. */
  set(text: string, data: Uint8Array, length: number, seed: number): void {
    let a = seed;
    let b = seed ^ GOLDEN;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = mix(a, unit, FNV_PRIME);
      b = mix(b, unit, MURMUR_PRIME);
    }
    for (let i = 0; i < length; i++) {
      const byte = data[i] ?? 0;
      a = mix(a, byte, FNV_PRIME);
      b = mix(b, byte, MURMUR_PRIME);
    }
    this.a = avalanche(a);
    this.b = avalanche(b);
  }
}

function mix(hash: number, unit: number, prime: number): number {
  const product = Math.imul(hash ^ unit, prime);
  // Without it the low bits of the product would depend on the low bits of the input alone.
  return product ^ (product >>> 15);
}

/** The last step of MurmurHash3: every bit of the input reaches every bit of the output. */
function avalanche(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
