import { globalPlatformError } from '../errors.ts';

/** A command APDU (ISO/IEC 7816-4 §5.1). */
export interface CommandApdu {
  readonly cla: number;
  readonly ins: number;
  readonly p1: number;
  readonly p2: number;
  /** The command data field; empty when there is none. At most 65,535 bytes. */
  readonly data: Uint8Array;
  /** The greatest length of response data asked for, 1 to 65,536; absent when the command has no Le field. */
  readonly le?: number;
  /** True for extended length fields. `encodeApdu` also uses them when the lengths need it. */
  readonly extended?: boolean;
}

const NO_DATA = new Uint8Array(0);
const SHORT_MAX_LC = 255;
const SHORT_MAX_LE = 256;
const EXTENDED_MAX_LC = 65_535;
const EXTENDED_MAX_LE = 65_536;

/**
 * A command APDU of all seven cases, 1, 2S, 3S, 4S, 2E, 3E, 4E. `data` is a view on `bytes`.
 *
 * @throws SefleetError `GP_APDU_MALFORMED` when the length fields contradict the length.
 * @example decodeApdu(fromHex('00A4040007A000000151000000')).data.length // 7
 */
export function decodeApdu(bytes: Uint8Array): CommandApdu {
  const [cla, ins, p1, p2, first] = bytes;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined) {
    throw malformed(bytes.length);
  }
  const header = { cla, ins, p1, p2 };
  if (first === undefined) return { ...header, data: NO_DATA };
  if (bytes.length === 5) return { ...header, data: NO_DATA, le: first === 0 ? SHORT_MAX_LE : first };
  if (first === 0) return decodeExtended(header, bytes);
  const end = 5 + first;
  const data = bytes.subarray(5, end);
  if (bytes.length === end) return { ...header, data };
  const le = bytes[end];
  if (bytes.length !== end + 1 || le === undefined) throw malformed(bytes.length);
  return { ...header, data, le: le === 0 ? SHORT_MAX_LE : le };
}

/**
 * The bytes of a command APDU, with short length fields unless `extended` is set or the lengths need extended
 * ones.
 *
 * @throws SefleetError `GP_APDU_TOO_LONG` when data or Le exceed the extended form.
 */
export function encodeApdu(command: CommandApdu): Uint8Array {
  const { data, le } = command;
  const lc = data.length;
  if (lc > EXTENDED_MAX_LC || (le !== undefined && (le < 1 || le > EXTENDED_MAX_LE))) {
    throw globalPlatformError('GP_APDU_TOO_LONG', 'the command does not fit an APDU', {
      context: { lc, le },
    });
  }
  const extended = command.extended === true || lc > SHORT_MAX_LC || (le ?? 0) > SHORT_MAX_LE;
  const bytes = extended ? encodeExtended(data, le) : encodeShort(data, le);
  bytes[0] = command.cla;
  bytes[1] = command.ins;
  bytes[2] = command.p1;
  bytes[3] = command.p2;
  return bytes;
}

function decodeExtended(
  header: { cla: number; ins: number; p1: number; p2: number },
  bytes: Uint8Array,
): CommandApdu {
  const length = ((bytes[5] ?? 0) << 8) | (bytes[6] ?? 0);
  if (bytes.length < 7) throw malformed(bytes.length);
  if (bytes.length === 7) {
    return { ...header, data: NO_DATA, le: length === 0 ? EXTENDED_MAX_LE : length, extended: true };
  }
  const end = 7 + length;
  if (length === 0) throw malformed(bytes.length);
  const data = bytes.subarray(7, end);
  if (bytes.length === end) return { ...header, data, extended: true };
  if (bytes.length !== end + 2) throw malformed(bytes.length);
  const le = ((bytes[end] ?? 0) << 8) | (bytes[end + 1] ?? 0);
  return { ...header, data, le: le === 0 ? EXTENDED_MAX_LE : le, extended: true };
}

function encodeShort(data: Uint8Array, le: number | undefined): Uint8Array {
  const lc = data.length;
  const bytes = new Uint8Array(4 + (lc > 0 ? 1 + lc : 0) + (le === undefined ? 0 : 1));
  if (lc > 0) {
    bytes[4] = lc;
    bytes.set(data, 5);
  }
  if (le !== undefined) bytes[bytes.length - 1] = le;
  return bytes;
}

function encodeExtended(data: Uint8Array, le: number | undefined): Uint8Array {
  const lc = data.length;
  const bytes = new Uint8Array(4 + 1 + (lc > 0 ? 2 + lc : 0) + (le === undefined ? 0 : 2));
  if (lc === 0 && le === undefined) return new Uint8Array(4);
  if (lc > 0) {
    bytes[5] = lc >> 8;
    bytes[6] = lc;
    bytes.set(data, 7);
  }
  if (le !== undefined) {
    bytes[bytes.length - 2] = le >> 8;
    bytes[bytes.length - 1] = le;
  }
  return bytes;
}

function malformed(length: number) {
  return globalPlatformError(
    'GP_APDU_MALFORMED',
    `no command APDU has these length fields in ${length} bytes`,
    {
      context: { length },
    },
  );
}
