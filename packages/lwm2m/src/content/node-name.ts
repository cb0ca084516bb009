import { Lwm2mPath } from '../model/path.ts';

/** A node of the device or, with a prefix, of an end device behind it (Gateway 1.1 §6). */
export interface NodePlace {
  readonly path: Lwm2mPath;
  readonly prefix: string | undefined;
}

/** The first segment of an end device's names: no id, so not all digits at its start. */
const PREFIXED = /^\/?([^/0-9][^/]{0,63})(\/.*)?$/;

/** The name of a node in a payload: `/3/0/1`, or `/d1/3/0/1` behind a gateway. */
export function nodeName(path: Lwm2mPath, prefix: string | undefined): string {
  if (prefix === undefined) return path.toString();
  return path.depth === 0 ? `/${prefix}` : `/${prefix}${path.toString()}`;
}

/** The node that a name stands for; undefined when it is none. */
export function parseNodeName(name: string): NodePlace | undefined {
  const plain = Lwm2mPath.tryParse(name);
  if (plain !== undefined) return { path: plain, prefix: undefined };
  const match = PREFIXED.exec(name);
  const path = match === null ? undefined : Lwm2mPath.tryParse(match[2] ?? '/');
  return path === undefined ? undefined : { path, prefix: match?.[1] };
}

/**
 * True when a payload for `base`, a node of the end device `expected` or of the device itself, may name this
 * place. End devices are named in payloads for the root, and in those for a node of theirs.
 */
export function isWithin(place: NodePlace, base: Lwm2mPath, expected: string | undefined): boolean {
  if (!base.contains(place.path)) return false;
  return (
    place.prefix === undefined || place.prefix === expected || (expected === undefined && base.depth === 0)
  );
}

/** The prefix that an entry carries: none when the whole payload is for that end device. */
export function entryPrefix(
  { prefix }: NodePlace,
  expected: string | undefined,
): { readonly prefix?: string } {
  return prefix === undefined || prefix === expected ? {} : { prefix };
}
