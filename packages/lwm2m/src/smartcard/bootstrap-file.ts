import { ByteReader, ByteReaderError, ByteWriter } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { OBJECT_ID } from '../accounts/accounts.ts';
import {
  bootstrapDelete,
  bootstrapFault,
  bootstrapWrite,
  snapshotTree,
} from '../bootstrap/bootstrap-rules.ts';
import type { Lwm2mEntry } from '../content/entry.ts';
import { decodeTlv, encodeTlv } from '../content/tlv.ts';
import type { ObjectTree } from '../device/object-tree.ts';
import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';
import { Lwm2mPath } from '../model/path.ts';

/** PKCS#15 application of the card that holds the bootstrap file. */
export const PKCS15_AID = Uint8Array.of(0xa0, 0, 0, 0, 0x63, 0x50, 0x4b, 0x43, 0x53, 0x2d, 0x31, 0x35);
/** EF(ODF): lists the directory files. */
export const EF_ODF = 0x5031;
/** EF(DODF-bootstrap): the directory of data objects; its path is what EF(ODF) says, this one by custom. */
export const EF_DODF_BOOTSTRAP = 0x6430;
/** EF(LwM2M_Bootstrap): the file itself, by custom. */
export const EF_LWM2M_BOOTSTRAP = 0x6432;
/** Largest file (Core appendix G). */
export const BOOTSTRAP_FILE_BYTES_MAX = 32_768;
/**
 * Object identifier 2.23.43.9.1 with its tag and length, by which the data object is found in the directory.
 */
const OID_LWM2M_BOOTSTRAP = Uint8Array.of(0x06, 0x04, 0x67, 0x2b, 0x09, 0x01);
const VERSION = 0;
const OBJECTS_MAX = 64;

/** One object in the bootstrap file: its instances. */
export interface BootstrapFileObject {
  readonly objectId: number;
  readonly entries: readonly Lwm2mEntry[];
}

/**
 * The content of EF(LwM2M_Bootstrap) (Core appendix G): a count of objects, the bytes that follow, and for
 * each object its id, a version byte, a length and its instances as TLV.
 *
 * @throws SefleetError `LWM2M_CARD_FILE_INVALID` when it exceeds {@link BOOTSTRAP_FILE_BYTES_MAX}
 */
export function encodeBootstrapFile(
  objects: readonly BootstrapFileObject[],
  models: ModelRegistry,
): Uint8Array {
  const body = new ByteWriter(256);
  for (const { objectId, entries } of objects) {
    const tlv = encodeTlv(new Lwm2mPath(objectId), entries, models);
    if (tlv.length > BOOTSTRAP_FILE_BYTES_MAX) throw invalid('too large for the card');
    body.u16(objectId).u8(VERSION).u16(tlv.length).bytes(tlv);
  }
  if (body.length + 4 > BOOTSTRAP_FILE_BYTES_MAX) throw invalid('too large for the card');
  return new ByteWriter(body.length + 4).u16(objects.length).u16(body.length).bytes(body.view()).finish();
}

/**
 * Reads EF(LwM2M_Bootstrap); padding behind the announced size is ignored, as files have a fixed size.
 *
 * @throws SefleetError `LWM2M_CARD_FILE_INVALID`
 */
export function decodeBootstrapFile(file: Uint8Array, models: ModelRegistry): readonly BootstrapFileObject[] {
  if (file.length > BOOTSTRAP_FILE_BYTES_MAX) throw invalid('larger than 32 KiB');
  try {
    const reader = new ByteReader(file);
    const count = reader.u16();
    if (count > OBJECTS_MAX) throw invalid('too many objects');
    const body = reader.sub(reader.u16());
    const objects: BootstrapFileObject[] = [];
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) objects.push(readObject(body, models, seen));
    body.end();
    return objects;
  } catch (error) {
    if (isSefleetError(error, 'LWM2M_CARD_FILE_INVALID')) throw error;
    if (error instanceof ByteReaderError || isSefleetError(error)) throw invalid('malformed', error);
    throw error;
  }
}

/**
 * Bootstrap from smartcard (Core §6.1.3.2): puts the accounts of the file in the place of those in the tree.
 *
 * @throws SefleetError `LWM2M_CARD_FILE_INVALID` when file or accounts make no sense; the tree is then as
 * before
 */
export async function bootstrapFromCard(tree: ObjectTree, file: Uint8Array): Promise<void> {
  const objects = decodeBootstrapFile(file, tree.models);
  const restore = snapshotTree(tree);
  try {
    for (const id of [OBJECT_ID.SERVER, OBJECT_ID.SECURITY]) {
      const object = tree.require(id);
      for (const instanceId of object.instances.keys()) object.remove(instanceId);
    }
    for (const { objectId, entries } of objects) {
      if (objectId !== OBJECT_ID.SECURITY) bootstrapDelete(tree, new Lwm2mPath(objectId));
      await bootstrapWrite(tree, new Lwm2mPath(objectId), entries);
    }
    const fault = bootstrapFault(tree);
    const onlyBootstrapServer = tree.require(OBJECT_ID.SERVER).instances.size === 0;
    if (fault !== undefined && !onlyBootstrapServer) throw invalid(fault);
  } catch (error) {
    restore();
    throw isSefleetError(error, 'LWM2M_CARD_FILE_INVALID') ? error : invalid('cannot be applied', error);
  }
}

/**
 * EF(ODF) with one entry: the path of EF(DODF-bootstrap), as PKCS#15 encodes it (A7, a sequence with the
 * path).
 */
export function encodeOdf(dodfFileId: number): Uint8Array {
  return Uint8Array.of(0xa7, 0x06, 0x30, 0x04, 0x04, 0x02, dodfFileId >> 8, dodfFileId & 0xff);
}

/** EF(DODF-bootstrap) with one data object: its OID and the path of the bootstrap file. */
export function encodeDodf(bootstrapFileId: number): Uint8Array {
  const path = Uint8Array.of(0x30, 0x04, 0x04, 0x02, bootstrapFileId >> 8, bootstrapFileId & 0xff);
  const inner = Uint8Array.of(...OID_LWM2M_BOOTSTRAP, ...path);
  // oidDO [1] { SEQUENCE {} common, SEQUENCE {} class, [1] { SEQUENCE { id, value } } }
  const value = Uint8Array.of(0x30, inner.length, ...inner);
  const typed = Uint8Array.of(0xa1, value.length, ...value);
  return Uint8Array.of(0xa1, typed.length + 4, 0x30, 0x00, 0x30, 0x00, ...typed);
}

/** The file id of EF(DODF-bootstrap) in EF(ODF), or undefined when there is none. */
export function findDodf(odf: Uint8Array): number | undefined {
  const at = odf.indexOf(0xa7);
  return at < 0 ? undefined : pathAfter(odf, at + 2);
}

/**
 * The file id of the bootstrap file in EF(DODF-bootstrap), or undefined when the directory has no such
 * object.
 */
export function findBootstrapFile(dodf: Uint8Array): number | undefined {
  const at = Buffer.from(dodf.buffer, dodf.byteOffset, dodf.length).indexOf(OID_LWM2M_BOOTSTRAP);
  return at < 0 ? undefined : pathAfter(dodf, at + OID_LWM2M_BOOTSTRAP.length);
}

/** The last two bytes of the first path (SEQUENCE { OCTET STRING }) at or behind `from`: a file id. */
function pathAfter(data: Uint8Array, from: number): number | undefined {
  for (let at = from; at + 3 < data.length; at++) {
    if (data[at] !== 0x30 || data[at + 2] !== 0x04) continue;
    const length = data[at + 3] ?? 0;
    const end = at + 4 + length;
    const [high, low] = [data[end - 2], data[end - 1]];
    if (length < 2 || length % 2 !== 0 || high === undefined || low === undefined) return undefined;
    return (high << 8) | low;
  }
  return undefined;
}

function readObject(body: ByteReader, models: ModelRegistry, seen: Set<number>): BootstrapFileObject {
  const objectId = body.u16();
  if (seen.has(objectId)) throw invalid(`object ${objectId} twice`);
  seen.add(objectId);
  if (body.u8() !== VERSION) throw invalid('unknown version');
  const entries = readInstances(objectId, body.bytes(body.u16()), models);
  return { objectId, entries };
}

function readInstances(objectId: number, tlv: Uint8Array, models: ModelRegistry): readonly Lwm2mEntry[] {
  return decodeTlv(new Lwm2mPath(objectId), tlv, models);
}

function invalid(message: string, cause?: unknown): Error {
  return lwm2mError(
    'LWM2M_CARD_FILE_INVALID',
    `bootstrap file: ${message}`,
    cause === undefined ? {} : { cause },
  );
}
