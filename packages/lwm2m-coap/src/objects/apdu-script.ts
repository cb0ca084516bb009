import { ByteReader, ByteReaderError, ByteWriter } from '@sefleet/bytes';
import { SefleetError } from '@sefleet/errors';

/**
 * Bytes of one APDU: an extended command with 65,535 bytes of data and its header (ISO/IEC 7816-3 §12.1.3).
 */
const APDU_BYTES_MAX = 65_544;
/** Bytes of one script, so that it fits a blockwise transfer at its default limit. */
export const APDU_SCRIPT_BYTES_MAX = 262_144;
/** APDUs of one script. */
const APDUS_MAX = 1024;

/**
 * A script of APDUs as resources 0 and 1 of object 30000 carry it: each APDU behind its length in three
 * bytes, big-endian. A response script holds as many APDUs as the command script, or fewer when the card
 * refused one: a card's answer that is neither 9000, 61xx, 62xx nor 63xx is the last one.
 *
 * @throws SefleetError `APDU_SCRIPT_INVALID` when an APDU or the script is too long or has too many
 */
export function encodeApduScript(apdus: readonly Uint8Array[]): Uint8Array {
  if (apdus.length > APDUS_MAX) throw invalid(`more than ${APDUS_MAX} APDUs`);
  const writer = new ByteWriter(256, APDU_SCRIPT_BYTES_MAX + 4);
  for (const apdu of apdus) {
    if (apdu.length > APDU_BYTES_MAX) throw invalid('an APDU is too long');
    if (writer.length + 3 + apdu.length > APDU_SCRIPT_BYTES_MAX) throw invalid('the script is too long');
    writer.u24(apdu.length).bytes(apdu);
  }
  return writer.finish();
}

/**
 * The APDUs of a script, as copies.
 *
 * @throws SefleetError `APDU_SCRIPT_INVALID`
 */
export function decodeApduScript(script: Uint8Array): readonly Uint8Array[] {
  if (script.length > APDU_SCRIPT_BYTES_MAX) throw invalid('the script is too long');
  const apdus: Uint8Array[] = [];
  try {
    const reader = new ByteReader(script);
    while (reader.remaining > 0) {
      if (apdus.length === APDUS_MAX) throw invalid(`more than ${APDUS_MAX} APDUs`);
      apdus.push(reader.bytes(reader.u24()).slice());
    }
  } catch (error) {
    if (error instanceof ByteReaderError) throw invalid('truncated', error);
    throw error;
  }
  return apdus;
}

function invalid(message: string, cause?: unknown): SefleetError {
  return new SefleetError('APDU_SCRIPT_INVALID', 'peer', `APDU script: ${message}`, { cause });
}
