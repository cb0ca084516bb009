/** A hash of the peer's key; `seed` keeps outsiders from choosing collisions. */
export function hashKey(key: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return avalanche(hash);
}

/** A hash of the first `length` bytes. */
export function hashBytes(data: Uint8Array, length: number, seed: number): number {
  let hash = seed;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ (data[i] ?? 0), 0x01000193);
  return avalanche(hash);
}

/** The last step of MurmurHash3: every bit of the input reaches every bit of the output. */
function avalanche(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
