import { ByteReader, ByteReaderError, bytesEqual } from '@sefleet/bytes';
import { aid, aidBytes, decodeTlvs, encodeTlv, findTlv, STATUS_WORD } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { refuse } from '../card/refusal.ts';

/** What a load file says of itself: its code is the name of applets that the card can run. */
export interface AppletPackage {
  readonly version: Uint8Array;
  readonly modules: readonly Aid[];
}

const PACKAGE = 0xe7;
/** First component of a CAP file, and the one with its applets (Java Card VM specification §6). */
const CAP_HEADER = 0x01;
const CAP_APPLET = 0x03;
const CAP_MAGIC = 0xdecaffed;
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
 * Reads {@link encodePackage}, and of a CAP file what it is called. Other code is taken as a load file
 * without modules. Both can be loaded, listed and deleted; nothing can be made from them, since byte code
 * does not run here.
 */
export function decodePackage(code: Uint8Array, loadFile: Aid): AppletPackage {
  if (code[0] === CAP_HEADER) return readCapFile(code, loadFile);
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

/**
 * The components of a CAP file follow each other: tag, length, contents (Java Card VM specification §6.1).
 */
function readCapFile(code: Uint8Array, loadFile: Aid): AppletPackage {
  let version: Uint8Array = Uint8Array.of(0, 0);
  let modules: readonly Aid[] = [];
  try {
    const reader = new ByteReader(code);
    while (reader.remaining > 0) {
      const tag = reader.u8();
      const component = reader.sub(reader.u16());
      if (tag === CAP_HEADER) version = readCapHeader(component, loadFile);
      else if (tag === CAP_APPLET) modules = readCapApplets(component);
    }
  } catch (error) {
    if (error instanceof ByteReaderError) return refuse(STATUS_WORD.WRONG_DATA);
    throw error;
  }
  return { version, modules };
}

/**
 * Magic, format version, flags; then the package: minor and major version, AID. Hosts show the major one
 * first.
 */
function readCapHeader(component: ByteReader, loadFile: Aid): Uint8Array {
  const magic = component.u32();
  component.bytes(3);
  const minor = component.u8();
  const version = Uint8Array.of(component.u8(), minor);
  const named = component.bytes(component.u8());
  const right = magic === CAP_MAGIC && bytesEqual(named, aidBytes(loadFile));
  return right ? version : refuse(STATUS_WORD.WRONG_DATA);
}

function readCapApplets(component: ByteReader): readonly Aid[] {
  const count = component.u8();
  if (count > MAX_MODULES) refuse(STATUS_WORD.WRONG_DATA);
  return Array.from({ length: count }, () => {
    const module = aid(component.bytes(component.u8()));
    component.u16();
    return module;
  });
}
