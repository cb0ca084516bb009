import { toHex } from '@sefleet/bytes';
import type { ByteReader, ByteWriter } from '@sefleet/bytes';
import { aid, aidBytes } from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { secureElementError } from '../errors.ts';

/** An AID behind its length; a zero stands for none. */
export function writeAid(writer: ByteWriter, value: Aid | undefined): ByteWriter {
  if (value === undefined) return writer.u8(0);
  let bytes = bytesOfAid.get(value);
  if (bytes === undefined) {
    bytes = aidBytes(value);
    if (bytesOfAid.size < MAX_INTERNED) bytesOfAid.set(value, bytes);
  }
  return writer.u8(bytes.length).bytes(bytes);
}

/** Reads {@link writeAid}. @throws SefleetError `SE_IMAGE_MALFORMED` when there is none. */
export function readAid(reader: ByteReader): Aid {
  return readOptionalAid(reader) ?? malformedAid();
}

/** AIDs are few and the same on all cards of a fleet: each is kept once, as text and as bytes. */
const interned = new Map<string, Aid>();
const bytesOfAid = new Map<Aid, Uint8Array>();
const MAX_INTERNED = 4096;

/** Reads {@link writeAid}; undefined when there is none. @throws SefleetError `SE_IMAGE_MALFORMED` */
export function readOptionalAid(reader: ByteReader): Aid | undefined {
  const length = reader.u8();
  if (length === 0) return undefined;
  if (length < 5 || length > 16) return malformedAid();
  const text = toHex(reader.bytes(length));
  const known = interned.get(text);
  if (known !== undefined) return known;
  const value = aid(text);
  if (interned.size < MAX_INTERNED) interned.set(text, value);
  return value;
}

function malformedAid(): never {
  throw secureElementError('SE_IMAGE_MALFORMED', 'an AID in the image has no valid length');
}
