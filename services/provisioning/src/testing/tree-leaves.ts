import { isSefleetError } from '@sefleet/errors';
import { parseBundle, verifyBundle } from '@sefleet/evidence';

/** Every value in a tree, with a way to make a copy of the tree in which it is another. */
export function* leaves(value: unknown): Generator<(change: (leaf: unknown) => unknown) => unknown> {
  if (Array.isArray(value)) {
    if (value.length > 0) yield () => value.slice(1);
    for (const [i, item] of value.entries())
      for (const leaf of leaves(item)) yield (change) => value.with(i, leaf(change));
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      for (const leaf of leaves(item)) yield (change) => ({ ...value, [name]: leaf(change) });
      yield () => Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
    }
  } else yield (change) => change(value);
}

/** Another value of the same kind: the last sign of a text, or the next number. */
export function touched(leaf: unknown): unknown {
  if (typeof leaf === 'number') return leaf + 1;
  const text = String(leaf);
  // Base64 ends with padding: the sign before that counts.
  const at = text.endsWith('==') ? text.length - 3 : text.length - 1;
  return text === '' ? 'x' : text.slice(0, at) + (text[at] === '1' ? '2' : '1') + text.slice(at + 1);
}

/** True when nobody would believe the bundle: it does not parse, or a check does not hold. */
export function isRefused(bundle: unknown): boolean {
  try {
    return verifyBundle(parseBundle(JSON.stringify(bundle))).some(({ holds }) => !holds);
  } catch (error) {
    if (isSefleetError(error, 'EVIDENCE_MALFORMED')) return true;
    throw error;
  }
}
