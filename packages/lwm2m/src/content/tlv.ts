import { ByteReader, ByteReaderError, ByteWriter } from '@sefleet/bytes';
import type { ModelRegistry } from '../model/model-registry.ts';
import { ID_MAX } from '../model/path.ts';
import type { Lwm2mPath } from '../model/path.ts';
import { lwm2mError } from '../errors.ts';
import type { Lwm2mEntry } from './entry.ts';
import { decodeTlvValue, encodeTlvValue } from './tlv-value.ts';
import { contentInvalid, decodingType, encodingType } from './typed-value.ts';

/** Bits 7-6 of a TLV's type byte (Core §7.4.3). */
const TLV_TYPE = { INSTANCE: 0, RESOURCE_INSTANCE: 1, MULTIPLE: 2, RESOURCE: 3 } as const;
type TlvType = (typeof TLV_TYPE)[keyof typeof TLV_TYPE];
/** TLVs in one payload; the smallest takes two bytes, so this also bounds the work of a large payload. */
const TLVS_MAX = 20_000;

/** Content format 11542, for any base but the root. */
export function encodeTlv(
  base: Lwm2mPath,
  entries: readonly Lwm2mEntry[],
  models: ModelRegistry,
): Uint8Array {
  if (base.depth === 0) throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'TLV carries one object only');
  const writer = new ByteWriter(128);
  if (base.depth === 4) {
    for (const entry of entries) writeInstanceValue(writer, entry, models);
  } else if (base.depth >= 2) {
    writeResources(writer, entries, models);
  } else {
    for (const [instanceId, group] of groupBy(entries, (entry) => entry.path.instanceId)) {
      const body = new ByteWriter(128);
      writeResources(body, group, models);
      writeTlv(writer, TLV_TYPE.INSTANCE, instanceId, body.view());
    }
  }
  return writer.finish();
}

/** Content format 11542. `newInstanceId` is the id for resources of a Create that names no instance. */
export function decodeTlv(
  base: Lwm2mPath,
  payload: Uint8Array,
  models: ModelRegistry,
  newInstanceId?: number,
): readonly Lwm2mEntry[] {
  if (base.depth === 0) throw lwm2mError('LWM2M_FORMAT_UNSUPPORTED', 'TLV carries one object only');
  const decoder = new TlvDecoder(base, models, newInstanceId);
  try {
    decoder.read(new ByteReader(payload));
  } catch (error) {
    if (error instanceof ByteReaderError) throw contentInvalid('truncated TLV', error);
    throw error;
  }
  return decoder.entries;
}

function groupBy(
  entries: readonly Lwm2mEntry[],
  idOf: (entry: Lwm2mEntry) => number | undefined,
): Map<number, Lwm2mEntry[]> {
  const groups = new Map<number, Lwm2mEntry[]>();
  for (const entry of entries) {
    const id = idOf(entry);
    if (id === undefined) continue;
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [entry]);
    else group.push(entry);
  }
  return groups;
}

function writeResources(writer: ByteWriter, entries: readonly Lwm2mEntry[], models: ModelRegistry): void {
  for (const [resourceId, group] of groupBy(entries, (entry) => entry.path.resourceId)) {
    const [first] = group;
    if (first !== undefined && first.path.depth === 3 && first.value !== null) {
      const type = encodingType(first.value, first.path, models);
      writeTlv(writer, TLV_TYPE.RESOURCE, resourceId, encodeTlvValue(first.value, type));
      continue;
    }
    const body = new ByteWriter(64);
    for (const entry of group) writeInstanceValue(body, entry, models);
    writeTlv(writer, TLV_TYPE.MULTIPLE, resourceId, body.view());
  }
}

function writeInstanceValue(writer: ByteWriter, { path, value }: Lwm2mEntry, models: ModelRegistry): void {
  if (value === null || path.resourceInstanceId === undefined) return;
  const bytes = encodeTlvValue(value, encodingType(value, path, models));
  writeTlv(writer, TLV_TYPE.RESOURCE_INSTANCE, path.resourceInstanceId, bytes);
}

function writeTlv(writer: ByteWriter, type: TlvType, id: number, value: Uint8Array): void {
  const { length } = value;
  const idBits = id > 0xff ? 0x20 : 0;
  const lengthBits = length < 8 ? length : length < 0x100 ? 0x08 : length < 0x10000 ? 0x10 : 0x18;
  writer.u8((type << 6) | idBits | lengthBits);
  if (idBits === 0) writer.u8(id);
  else writer.u16(id);
  if (length >= 0x10000) writer.u24(length);
  else if (length >= 0x100) writer.u16(length);
  else if (length >= 8) writer.u8(length);
  writer.bytes(value);
}

interface Tlv {
  readonly type: TlvType;
  readonly id: number;
  readonly body: ByteReader;
}

class TlvDecoder {
  readonly entries: Lwm2mEntry[] = [];
  readonly #base: Lwm2mPath;
  readonly #models: ModelRegistry;
  readonly #newInstanceId: number | undefined;
  #count = 0;

  constructor(base: Lwm2mPath, models: ModelRegistry, newInstanceId: number | undefined) {
    this.#base = base;
    this.#models = models;
    this.#newInstanceId = newInstanceId;
  }

  read(reader: ByteReader): void {
    switch (this.#base.depth) {
      case 1:
        this.#readObject(reader);
        break;
      case 2:
        this.#readInstance(reader);
        break;
      default:
        this.#readResource(reader);
    }
  }

  #readObject(reader: ByteReader): void {
    const seen = new Set<number>();
    while (reader.remaining > 0) {
      const type = (reader.peek() ?? 0) >> 6;
      if (type !== TLV_TYPE.INSTANCE) {
        if (this.#newInstanceId === undefined || seen.size > 0)
          throw contentInvalid('resource without instance');
        this.#readResources(reader, this.#base.child(this.#newInstanceId));
        return;
      }
      const tlv = this.#next(reader, seen);
      this.#readResources(tlv.body, this.#base.child(tlv.id));
    }
  }

  /** Core §7.4.3: an instance is written as its resources, alone or wrapped in its own instance TLV. */
  #readInstance(reader: ByteReader): void {
    if ((reader.peek() ?? 0xff) >> 6 !== TLV_TYPE.INSTANCE) {
      this.#readResources(reader, this.#base);
      return;
    }
    const tlv = this.#next(reader, new Set());
    if (tlv.id !== this.#base.instanceId) throw contentInvalid('an instance other than the one addressed');
    reader.end();
    this.#readResources(tlv.body, this.#base);
  }

  #readResource(reader: ByteReader): void {
    const { resourceId, resourceInstanceId } = this.#base;
    const resource = this.#base.depth === 4 ? this.#base.parent : this.#base;
    if ((reader.peek() ?? 0xff) >> 6 === TLV_TYPE.RESOURCE_INSTANCE && resourceInstanceId !== undefined) {
      this.#readResourceInstances(reader, resource);
    } else {
      const tlv = this.#next(reader, new Set());
      if (tlv.id !== resourceId) throw contentInvalid('a resource other than the one addressed');
      reader.end();
      this.#readResourceTlv(tlv, resource);
    }
    if (this.entries.some(({ path }) => !this.#base.contains(path))) {
      throw contentInvalid('a resource instance other than the one addressed');
    }
  }

  #readResources(reader: ByteReader, instance: Lwm2mPath): void {
    if (reader.remaining === 0) this.entries.push({ path: instance, value: null });
    const seen = new Set<number>();
    while (reader.remaining > 0) {
      const tlv = this.#next(reader, seen);
      this.#readResourceTlv(tlv, instance.child(tlv.id));
    }
  }

  #readResourceTlv({ type, body }: Tlv, path: Lwm2mPath): void {
    if (type === TLV_TYPE.RESOURCE) this.#push(path, body.rest());
    else if (type !== TLV_TYPE.MULTIPLE) throw contentInvalid('a TLV out of its place');
    else if (body.remaining === 0) this.entries.push({ path, value: null });
    else this.#readResourceInstances(body, path);
  }

  #readResourceInstances(reader: ByteReader, resource: Lwm2mPath): void {
    const seen = new Set<number>();
    while (reader.remaining > 0) {
      const tlv = this.#next(reader, seen);
      if (tlv.type !== TLV_TYPE.RESOURCE_INSTANCE) throw contentInvalid('a TLV out of its place');
      this.#push(resource.child(tlv.id), tlv.body.rest());
    }
  }

  #push(path: Lwm2mPath, bytes: Uint8Array): void {
    this.entries.push({ path, value: decodeTlvValue(bytes, decodingType(path, this.#models)) });
  }

  #next(reader: ByteReader, seen: Set<number>): Tlv {
    if (++this.#count > TLVS_MAX) throw contentInvalid('too many TLVs');
    const head = reader.u8();
    const id = (head & 0x20) === 0 ? reader.u8() : reader.u16();
    if (id > ID_MAX) throw contentInvalid('a reserved id');
    if (seen.has(id)) throw contentInvalid('the same id twice');
    seen.add(id);
    const body = reader.sub(tlvLength(head, reader));
    return { type: tlvType(head), id, body };
  }
}

function tlvLength(head: number, reader: ByteReader): number {
  switch ((head >> 3) & 3) {
    case 0:
      return head & 7;
    case 1:
      return reader.u8();
    case 2:
      return reader.u16();
    default:
      return reader.u24();
  }
}

function tlvType(head: number): TlvType {
  switch (head >> 6) {
    case 0:
      return TLV_TYPE.INSTANCE;
    case 1:
      return TLV_TYPE.RESOURCE_INSTANCE;
    case 2:
      return TLV_TYPE.MULTIPLE;
    default:
      return TLV_TYPE.RESOURCE;
  }
}
