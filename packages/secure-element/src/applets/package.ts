import { bytesEqual } from '@sefleet/bytes';
import { aid, aidBytes, decodeTlvs, encodeTlv, findTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { refuse } from '../card/refusal.ts';

/** What a load file says of itself: its code is the name of applets that the card can run. */
export interface AppletPackage {
  readonly version: Uint8Array;
  readonly modules: readonly Aid[];
}

const PACKAGE = 0xe7;
const MAX_MODULES = 16;

/** The code (C4) of a load file whose modules are applets of this room, or of the embedding program. */
export function encodePackage(loadFile: Aid, contents: AppletPackage): Uint8Array {
  const modules = contents.modules.map((module) => encodeTlv(0x84, aidBytes(module)));
  return encodeTlv(
    PACKAGE,
    encodeTlv(0x4f, aidBytes(loadFile)),
    encodeTlv(0xce, contents.version),
    ...modules,
  );
}

/**
 * Reads {@link encodePackage}. Code of another kind, as CAP files are, is taken as a load file without
 * modules: it can be loaded, listed and deleted, and nothing can be made from it.
 */
export function decodePackage(code: Uint8Array, loadFile: Aid): AppletPackage {
  if (code[0] !== PACKAGE) return { version: Uint8Array.of(0, 0), modules: [] };
  const [description] = decodeTlvs(code);
  const fields = decodeTlvs(description?.value ?? new Uint8Array(0));
  const named = findTlv(fields, 0x4f);
  if (named === undefined || !bytesEqual(named, aidBytes(loadFile))) return refuse(STATUS_WORD.WRONG_DATA);
  const modules = fields.filter((field) => field.tag === 0x84).map((field) => aid(field.value));
  const version = (findTlv(fields, 0xce) ?? Uint8Array.of(1, 0)).slice();
  return modules.length > MAX_MODULES || version.length > 8
    ? refuse(STATUS_WORD.WRONG_DATA)
    : { version, modules };
}
