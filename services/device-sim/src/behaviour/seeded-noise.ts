const CUT = 6;
/** Mean of an exponential distribution cut off at CUT. */
const CUT_MEAN = 1 - (CUT * Math.exp(-CUT)) / (1 - Math.exp(-CUT));

/**
 * Noise that depends on nothing but its three numbers: whoever asks again gets the same value, in any order,
 * so that a model which was stopped goes on as if it had not been.
 *
 * @param seed of the device
 * @param stream which quantity of the device
 * @param slot which step of time, a whole number up to 2^53
 * @returns a uniform number in [0, 1)
 */
export function uniformNoise(seed: number, stream: number, slot: number): number {
  const low = slot >>> 0;
  const high = Math.floor(slot / 0x1_0000_0000) >>> 0;
  let hash = mix(seed ^ 0x9e37_79b9);
  hash = mix(hash ^ Math.imul(stream + 1, 0x85eb_ca6b));
  hash = mix(hash ^ low);
  hash = mix(hash ^ Math.imul(high + 1, 0xc2b2_ae35));
  return hash / 0x1_0000_0000;
}

/** Exponentially distributed noise, cut off at six times its mean and scaled so that the mean is 1. */
export function exponentialNoise(seed: number, stream: number, slot: number): number {
  const kept = 1 - Math.exp(-CUT);
  return -Math.log(1 - uniformNoise(seed, stream, slot) * kept) / CUT_MEAN;
}

/**
 * Noise in [-1, 1] that is smooth over time: a value every `periodMs`, cosine between them.
 */
export function smoothNoise(seed: number, stream: number, atMs: number, periodMs: number): number {
  const slot = Math.floor(atMs / periodMs);
  const before = uniformNoise(seed, stream, slot);
  const after = uniformNoise(seed, stream, slot + 1);
  const share = (1 - Math.cos((Math.PI * (atMs - slot * periodMs)) / periodMs)) / 2;
  return 2 * (before + (after - before) * share) - 1;
}

/** The seed of device number `index` in a fleet. */
export function deviceSeed(fleetSeed: bigint, index: number): number {
  const low = Number(fleetSeed & 0xffff_ffffn);
  const high = Number((fleetSeed >> 32n) & 0xffff_ffffn);
  return mix(mix(low ^ 0x51ed_270b) ^ mix(high ^ 0x2545_f491) ^ Math.imul(index + 1, 0x9e37_79b1));
}

/** The finalizer of MurmurHash3 (public domain): every bit of the input moves every bit of the output. */
function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
