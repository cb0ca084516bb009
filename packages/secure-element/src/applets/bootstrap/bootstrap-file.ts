import { ByteReader, ByteReaderError, ByteWriter } from '@sefleet/bytes';
import { secureElementError } from '../../errors.ts';

/** One object of the bootstrap information: its id, and its instances in LwM2M TLV. */
export interface BootstrapObject {
  readonly objectId: number;
  readonly instances: Uint8Array;
}

/** Objects that one file may hold; a device bootstraps with a handful. */
const MAX_OBJECTS = 32;
/** LwM2M core 1.2 §G.3: the file is at most 32 KB. */
const MAX_BYTES = 32_768;
const DEFAULT_VERSION = 0x00;

/**
 * EF LwM2M_Bootstrap (LwM2M core 1.2 §G.3): number of objects, size of what follows, then for each its id,
 * version byte, length and instances.
 */
export function encodeBootstrapFile(objects: readonly BootstrapObject[]): Uint8Array {
  const writer = new ByteWriter(256, MAX_BYTES);
  writer.u16(objects.length).lengthPrefixed(2, (body) => {
    for (const { objectId, instances } of objects) {
      body.u16(objectId).u8(DEFAULT_VERSION).u16(instances.length).bytes(instances);
    }
  });
  return writer.finish();
}

/**
 * Reads {@link encodeBootstrapFile}; bytes behind the size that it names (FF, usually) are passed over.
 *
 * @throws SefleetError `SE_BOOTSTRAP_MALFORMED`.
 */
export function decodeBootstrapFile(bytes: Uint8Array): readonly BootstrapObject[] {
  try {
    const reader = new ByteReader(bytes);
    const count = reader.u16();
    const body = reader.sub(reader.u16());
    if (count > MAX_OBJECTS)
      throw secureElementError('SE_BOOTSTRAP_MALFORMED', `${count} objects are too many`);
    const objects: BootstrapObject[] = [];
    for (let i = 0; i < count; i++) {
      const objectId = body.u16();
      body.u8();
      objects.push({ objectId, instances: body.bytes(body.u16()).slice() });
    }
    body.end();
    return objects;
  } catch (cause) {
    if (!(cause instanceof ByteReaderError)) throw cause;
    throw secureElementError(
      'SE_BOOTSTRAP_MALFORMED',
      'the lengths of the bootstrap file contradict each other',
      { cause },
    );
  }
}
