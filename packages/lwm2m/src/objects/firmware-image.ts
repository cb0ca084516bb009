import { ByteReader, ByteReaderError, ByteWriter } from '@sefleet/bytes';
import { lwm2mError } from '../errors.ts';

/** What a firmware authority says of a payload; its signature covers exactly this. */
export interface FirmwareManifest {
  /** The kind of device that the payload is for, 1 to 32 bytes of UTF-8. */
  readonly kind: string;
  /** Counts the releases of a kind, from 1; devices refuse a lower one than they run. */
  readonly versionNumber: number;
  /** The version as people read it (resource /3/0/3), 1 to 32 bytes of UTF-8. */
  readonly version: string;
  readonly payloadBytes: number;
  /** SHA-256 of the payload, 32 bytes. */
  readonly payloadHash: Uint8Array;
}

/** A firmware image that is well formed; whether it is genuine, its signature and hash have to tell. */
export interface FirmwareImage {
  readonly manifest: FirmwareManifest;
  /** The bytes that the signature is over. */
  readonly signed: Uint8Array;
  /** ECDSA on P-256 with SHA-256: r and s, 32 bytes each. */
  readonly signature: Uint8Array;
  readonly payload: Uint8Array;
}

/**
 * The bytes of a manifest that the firmware authority signs. They begin with the format's name, so that the
 * signature passes for nothing else.
 *
 * @throws SefleetError `LWM2M_VALUE_INVALID`
 */
export function encodeFirmwareManifest(manifest: FirmwareManifest): Uint8Array {
  const { versionNumber, payloadBytes, payloadHash } = manifest;
  const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
  if (!isCount(versionNumber) || !isCount(payloadBytes) || payloadHash.length !== HASH_BYTES) {
    throw lwm2mError('LWM2M_VALUE_INVALID', 'numbers of a manifest have 32 bits and its hash 32 bytes');
  }
  const [kind, version] = [encodeName(manifest.kind), encodeName(manifest.version)];
  return new ByteWriter(128)
    .bytes(MAGIC)
    .u8(FORMAT_VERSION)
    .lengthPrefixed(1, (body) => body.bytes(kind))
    .u32(versionNumber)
    .lengthPrefixed(1, (body) => body.bytes(version))
    .u32(payloadBytes)
    .bytes(payloadHash)
    .finish();
}

/**
 * A firmware image: manifest, signature over {@link encodeFirmwareManifest}, payload.
 *
 * @throws SefleetError `LWM2M_VALUE_INVALID`
 */
export function encodeFirmwareImage(
  manifest: FirmwareManifest,
  signature: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  if (signature.length !== SIGNATURE_BYTES || payload.length !== manifest.payloadBytes) {
    throw lwm2mError('LWM2M_VALUE_INVALID', 'a signature has 64 bytes, a payload what its manifest says');
  }
  const signed = encodeFirmwareManifest(manifest);
  return new ByteWriter(signed.length + SIGNATURE_BYTES + payload.length)
    .bytes(signed)
    .bytes(signature)
    .bytes(payload)
    .finish();
}

/**
 * Reads {@link encodeFirmwareImage}; the parts are views of `bytes`.
 *
 * @throws SefleetError `LWM2M_CONTENT_INVALID`
 */
export function decodeFirmwareImage(bytes: Uint8Array): FirmwareImage {
  try {
    const reader = new ByteReader(bytes);
    if (Buffer.compare(reader.bytes(MAGIC.length), MAGIC) !== 0 || reader.u8() !== FORMAT_VERSION) {
      throw invalid('not a firmware image of this format');
    }
    const kind = decodeName(reader);
    const versionNumber = reader.u32();
    const version = decodeName(reader);
    const payloadBytes = reader.u32();
    const payloadHash = reader.bytes(HASH_BYTES);
    const signed = bytes.subarray(0, reader.offset);
    const signature = reader.bytes(SIGNATURE_BYTES);
    const payload = reader.bytes(payloadBytes);
    reader.end();
    const manifest = { kind, versionNumber, version, payloadBytes, payloadHash };
    return { manifest, signed, signature, payload };
  } catch (cause) {
    if (!(cause instanceof ByteReaderError)) throw cause;
    throw invalid('the firmware image is cut or has bytes left over', cause);
  }
}

/** "SEFW". */
const MAGIC = Uint8Array.of(0x53, 0x45, 0x46, 0x57);
const FORMAT_VERSION = 1;
const HASH_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Bytes of a kind and of a version: names, not texts. */
const NAME_BYTES_MAX = 32;

function encodeName(name: string): Uint8Array {
  const bytes = Buffer.from(name, 'utf8');
  if (bytes.length >= 1 && bytes.length <= NAME_BYTES_MAX) return bytes;
  throw lwm2mError('LWM2M_VALUE_INVALID', `a name in a manifest has 1 to ${NAME_BYTES_MAX} bytes`);
}

function decodeName(reader: ByteReader): string {
  const length = reader.u8();
  if (length < 1 || length > NAME_BYTES_MAX) throw invalid(`a name of ${length} bytes`);
  const bytes = reader.bytes(length);
  const name = Buffer.from(bytes).toString('utf8');
  // What is no UTF-8 would read as another name than the one that was signed.
  if (Buffer.compare(Buffer.from(name, 'utf8'), bytes) !== 0) throw invalid('a name that is no UTF-8');
  return name;
}

function invalid(message: string, cause?: unknown): Error {
  return lwm2mError('LWM2M_CONTENT_INVALID', message, { cause });
}
