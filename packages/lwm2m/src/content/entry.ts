import type { Lwm2mPath } from '../model/path.ts';
import type { Lwm2mValue } from '../model/value.ts';

/**
 * One line of a payload: a value and where it belongs. Every content format decodes to a list of these and is
 * encoded from one; the paths are absolute.
 *
 * `value` is `null` where a node stands without a value: an object instance or a multiple resource with
 * nothing in it, a path asked for by a composite read, or (SenML-ETCH) a resource instance to be removed.
 */
export interface Lwm2mEntry {
  readonly path: Lwm2mPath;
  readonly value: Lwm2mValue | null;
  /**
   * The end device behind a gateway that it belongs to (Gateway 1.1 §6); undefined: the device itself. SenML
   * and LwM2M CBOR carry it.
   */
  readonly prefix?: string;
  /** When it was measured, in seconds since 1970, where the format carries it. */
  readonly timeSeconds?: number;
}
