import { bytesEqual, concatBytes, fromHex } from '@sefleet/bytes';
import {
  decodeTlvs,
  encodeTlv,
  findTlv,
  installForPersonalizationCommand,
  storeDataCommands,
} from '@sefleet/globalplatform';
import type { Aid, CommandApdu, Tlv } from '@sefleet/globalplatform';
import { BOOTSTRAP_TAG } from '../applets/bootstrap/bootstrap-applet.ts';
import { decodeBootstrapFile, encodeBootstrapFile } from '../applets/bootstrap/bootstrap-file.ts';
import type { BootstrapObject } from '../applets/bootstrap/bootstrap-file.ts';
import { PKCS15_INSTANCE } from '../applets/bootstrap/identifiers.ts';
import { secureElementError } from '../errors.ts';
import { AppletLink } from './applet-link.ts';
import type { LocalTransmit } from './applet-link.ts';

const ODF = fromHex('5031');
/** 2.23.43.9.1, the object identifier of LwM2M bootstrap data. */
const LWM2M_BOOTSTRAP = fromHex('672b0901');
const DATA_OBJECTS = 0xa7;
const SEQUENCE = 0x30;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const READ_CHUNK = 0x100;
const MAX_FILE_BYTES = 32_768;

/**
 * The bootstrap information of a card, as an LwM2M client finds it: PKCS#15 application, object directory,
 * data object directory, the object with LwM2M's identifier, its file (LwM2M core 1.2 §G).
 *
 * @param pin The PIN, when the file is behind one.
 * @throws SefleetError `SE_APPLET_UNAVAILABLE` without such an application, `SE_APPLET_REFUSED` when the PIN
 * is wrong,
 *   `SE_BOOTSTRAP_MALFORMED` when the directories lead nowhere.
 */
export function readSmartcardBootstrap(
  transmit: LocalTransmit,
  options: { readonly application?: Aid; readonly pin?: Uint8Array } = {},
): readonly BootstrapObject[] {
  const link = new AppletLink(transmit, options.application ?? PKCS15_INSTANCE);
  try {
    if (options.pin !== undefined) link.command({ cla: 0, ins: 0x20, p1: 0, p2: 1, data: options.pin });
    const directory = decodeTlvs(readFile(link, ODF)).find((object) => object.tag === DATA_OBJECTS);
    const dataObjects = decodeTlvs(readFile(link, pathIn(directory)));
    const holder = dataObjects.map(bootstrapPath).find((path) => path !== undefined);
    if (holder === undefined) throw lost('no data object has the identifier of LwM2M bootstrap');
    return decodeBootstrapFile(readFile(link, holder));
  } finally {
    link.close();
  }
}

/** The commands that write a bootstrap applet's file, for an open session with its Security Domain. */
export function bootstrapPersonalisationCommands(
  application: Uint8Array,
  objects: readonly BootstrapObject[],
  pin?: Uint8Array,
): readonly CommandApdu[] {
  const content = encodeTlv(BOOTSTRAP_TAG.CONTENT, encodeBootstrapFile(objects));
  const data = pin === undefined ? content : concatBytes(content, encodeTlv(BOOTSTRAP_TAG.PIN, pin));
  return [installForPersonalizationCommand(application), ...storeDataCommands(data, { format: 'ber-tlv' })];
}

function readFile(link: AppletLink, file: Uint8Array): Uint8Array {
  link.command({ cla: 0, ins: 0xa4, p1: 0x00, p2: 0x0c, data: file });
  const parts: Uint8Array[] = [];
  for (let offset = 0; offset < MAX_FILE_BYTES;) {
    const head = { cla: 0, ins: 0xb0, p1: offset >> 8, p2: offset & 0xff, data: new Uint8Array(0) };
    const part = link.command({ ...head, le: READ_CHUNK });
    parts.push(part);
    offset += part.length;
    if (part.length < READ_CHUNK) break;
  }
  return concatBytes(...parts);
}

/** The file that a Path (a SEQUENCE with an OCTET STRING) names: its last two bytes. */
function pathIn(object: Tlv | undefined): Uint8Array {
  const sequence = object === undefined ? undefined : findTlv(decodeTlvs(object.value), SEQUENCE);
  const path = sequence === undefined ? undefined : findTlv(decodeTlvs(sequence), OCTET_STRING);
  if (path === undefined || path.length < 2)
    throw lost('the object directory names no data object directory');
  return path.subarray(-2);
}

/** The path beside LwM2M's identifier, wherever in a data object both stand. */
function bootstrapPath(object: Tlv): Uint8Array | undefined {
  const isConstructed = object.tag <= 0xff && (object.tag & 0x20) !== 0;
  if (!isConstructed) return undefined;
  const inside = decodeTlvs(object.value);
  const identifier = findTlv(inside, OBJECT_IDENTIFIER);
  if (identifier !== undefined && bytesEqual(identifier, LWM2M_BOOTSTRAP)) {
    const path = findTlv(inside, SEQUENCE);
    return path === undefined ? undefined : findTlv(decodeTlvs(path), OCTET_STRING)?.subarray(-2);
  }
  return inside.map(bootstrapPath).find((path) => path !== undefined);
}

function lost(message: string) {
  return secureElementError('SE_BOOTSTRAP_MALFORMED', message);
}
