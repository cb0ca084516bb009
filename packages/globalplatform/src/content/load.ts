import { concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { globalPlatformError } from '../errors.ts';
import { decodeTlvs, encodeTlv, requireTlv } from '../tlv/ber-tlv.ts';
import { gpCommand, INS } from './command.ts';

/** A DAP block of a load file: the verifying domain and its signature over the load file data block hash. */
export interface DapBlock {
  readonly securityDomain: Uint8Array;
  readonly signature: Uint8Array;
}

/** A load file as LOAD carries it: DAP blocks, then the code (C4). */
export interface LoadFile {
  readonly daps: readonly DapBlock[];
  readonly code: Uint8Array;
}

const CHUNK = 223;
const MAX_BLOCKS = 256;
const LAST = 0x80;

/** The bytes that the LOAD commands of a load file carry. */
export function encodeLoadFile(loadFile: LoadFile): Uint8Array {
  const daps = loadFile.daps.map((dap) =>
    encodeTlv(0xe2, encodeTlv(0x4f, dap.securityDomain), encodeTlv(0xc3, dap.signature)),
  );
  return concatBytes(...daps, encodeTlv(0xc4, loadFile.code));
}

/** Reads {@link encodeLoadFile}. */
export function decodeLoadFile(bytes: Uint8Array): LoadFile {
  const objects = decodeTlvs(bytes);
  const daps = objects
    .filter((object) => object.tag === 0xe2)
    .map((object) => {
      const parts = decodeTlvs(object.value);
      return { securityDomain: requireTlv(parts, 0x4f), signature: requireTlv(parts, 0xc3) };
    });
  return { daps, code: requireTlv(objects, 0xc4) };
}

/** The LOAD commands of a load file, cut to fit under secure messaging. */
export function loadCommands(loadFile: LoadFile): readonly CommandApdu[] {
  const bytes = encodeLoadFile(loadFile);
  const count = Math.ceil(bytes.length / CHUNK);
  if (count > MAX_BLOCKS) {
    throw globalPlatformError('GP_APDU_TOO_LONG', 'the load file needs more than 256 LOAD commands');
  }
  return Array.from({ length: count }, (_, i) =>
    gpCommand(INS.LOAD, i === count - 1 ? LAST : 0x00, i, bytes.subarray(i * CHUNK, (i + 1) * CHUNK)),
  );
}
