/** SCP03 key sets have the versions 30 to 3F (GPCS 2.3.1 §11.8.2.3, ETSI TS 102 226 §8.2.1.5). */
const FIRST_VERSION = 0x30;
const VERSIONS = 16;

/** The generation that the factory puts on a card. */
export const FIRST_GENERATION = 1;

/**
 * The key version number that keys of a generation carry on a card. Generations count every rotation since
 * manufacture; versions come round, and two generations that follow each other never share one.
 */
export function keyVersionOf(generation: number): number {
  return FIRST_VERSION + ((generation - 1) % VERSIONS);
}

/**
 * The generation near `known` that a key version on a card stands for: the known one, the next or the one
 * before.
 * Undefined for any other: such a card has been with somebody else.
 */
export function generationNear(known: number, keyVersion: number): number | undefined {
  return [known, known + 1, known - 1].find(
    (generation) => generation >= FIRST_GENERATION && keyVersionOf(generation) === keyVersion,
  );
}
