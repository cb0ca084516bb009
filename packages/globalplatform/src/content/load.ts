import { concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { globalPlatformError } from '../errors.ts';
import { decodeTlvs, encodeTlv, findTlv, requireTlv } from '../tlv/ber-tlv.ts';
import type { CipheredCode } from './ciphered-code.ts';
import { gpCommand, INS } from './command.ts';

/** A DAP block of a load file: the verifying domain and its signature over the load file data block hash. */
export interface DapBlock {
  readonly securityDomain: Uint8Array;
  readonly signature: Uint8Array;
}

/** A load file as LOAD carries it: DAP blocks, then the code (C4), or the code enciphered (D3, D4). */
export interface LoadFile {
  readonly daps: readonly DapBlock[];
  /** Made by `encipherCode` when it is not in the clear. DAPs and the hash cover what is in the clear. */
  readonly code: Uint8Array | CipheredCode;
}

const CODE = 0xc4;
const CIPHERED_CODE = 0xd4;
const ICV = 0xd3;
const CHUNK = 223;
const MAX_BLOCKS = 256;
const LAST = 0x80;

/** The bytes that the LOAD commands of a load file carry (GPCS 2.3.1 table 11-58). */
export function encodeLoadFile(loadFile: LoadFile): Uint8Array {
  const { daps, code } = loadFile;
  const blocks = daps.map((dap) =>
    encodeTlv(0xe2, encodeTlv(0x4f, dap.securityDomain), encodeTlv(0xc3, dap.signature)),
  );
  if (code instanceof Uint8Array) return concatBytes(...blocks, encodeTlv(CODE, code));
  const icv = code.icv === undefined ? [] : [encodeTlv(ICV, code.icv)];
  return concatBytes(...blocks, ...icv, encodeTlv(CIPHERED_CODE, code.ciphertext));
}

/** Reads {@link encodeLoadFile}; `GP_TLV_UNEXPECTED` unless there is one code, in the clear or enciphered. */
export function decodeLoadFile(bytes: Uint8Array): LoadFile {
  const objects = decodeTlvs(bytes);
  const daps = objects
    .filter((object) => object.tag === 0xe2)
    .map((object) => {
      const parts = decodeTlvs(object.value);
      return { securityDomain: requireTlv(parts, 0x4f), signature: requireTlv(parts, 0xc3) };
    });
  const codes = objects.filter(({ tag }) => tag === CODE || tag === CIPHERED_CODE);
  if (codes.length > 1) throw globalPlatformError('GP_TLV_UNEXPECTED', 'a load file has more than one code');
  const ciphertext = findTlv(objects, CIPHERED_CODE);
  if (ciphertext === undefined) return { daps, code: requireTlv(objects, CODE) };
  const icv = findTlv(objects, ICV);
  return { daps, code: icv === undefined ? { ciphertext } : { ciphertext, icv } };
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
