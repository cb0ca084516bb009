import { createCipheriv, createDecipheriv, type CipherCCMTypes, type KeyObject } from 'node:crypto';
import { ByteWriter, concatBytes } from '@sefleet/bytes';
import { coseError } from '../errors.ts';
import { COSE_ALGORITHMS, type CoseAlgorithm } from './algorithms.ts';
import {
  encodeEncrypt0,
  encodeProtectedHeader,
  MAX_ENCRYPT0_BYTES,
  type Encrypt0,
} from './encrypt0-codec.ts';

/** A secret key: bytes, or a node:crypto secret key, which saves the import on every call. */
export type SecretKey = Uint8Array | KeyObject;

/** What is to be sealed, and how. */
export interface SealRequest {
  /** A number of {@link COSE_ALGORITHMS}. */
  readonly algorithm: number;
  readonly key: SecretKey;
  readonly keyId?: Uint8Array;
  /** The whole nonce; never twice with one key. */
  readonly iv: Uint8Array;
  readonly plaintext: Uint8Array;
  /** Data that both sides know and that is authenticated too; empty when absent. */
  readonly externalAad?: Uint8Array;
}

/**
 * Encrypts into a tagged COSE_Encrypt0 (RFC 9052 §5.3).
 *
 * @throws SefleetError `COSE_ALGORITHM_UNSUPPORTED`, `COSE_TOO_LONG`, or `COSE_KEY_INVALID` for a key or IV
 *   of a wrong length.
 * @example
 * sealEncrypt0({ algorithm: AES_CCM_16_64_128, key, keyId, iv, plaintext, externalAad });
 */
export function sealEncrypt0(request: SealRequest): Uint8Array {
  const algorithm = algorithmOf(request.algorithm);
  checkLengths(algorithm, request.key, request.iv);
  const protectedHeader = encodeProtectedHeader(algorithm.id);
  const { plaintext } = request;
  // CCM with two bytes for the length takes one byte less than an object may have.
  if (plaintext.length >= MAX_ENCRYPT0_BYTES) {
    throw coseError('COSE_TOO_LONG', `a plaintext of ${plaintext.length} bytes`);
  }
  // The cast picks the overload: GCM takes CCM's options and ignores the plaintext's length.
  const cipher = createCipheriv(algorithm.cipher as CipherCCMTypes, request.key, request.iv, {
    authTagLength: algorithm.tagBytes,
  });
  cipher.setAAD(encStructure(protectedHeader, request.externalAad), { plaintextLength: plaintext.length });
  const sealed = concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
  return encodeEncrypt0({
    algorithm: algorithm.id,
    ...(request.keyId === undefined ? {} : { keyId: request.keyId }),
    iv: request.iv,
    ciphertext: sealed,
    protectedHeader,
  });
}

/**
 * Verifies and decrypts an object that {@link decodeEncrypt0} has read (RFC 9052 §5.3).
 *
 * @throws SefleetError `COSE_AUTHENTICATION_FAILED`, `COSE_ALGORITHM_UNSUPPORTED` or `COSE_MALFORMED`, fault
 *   `peer`; `COSE_KEY_INVALID` when the key's length is not the algorithm's.
 */
export function openEncrypt0(object: Encrypt0, key: SecretKey, externalAad?: Uint8Array): Uint8Array {
  const algorithm = algorithmOf(object.algorithm);
  const length = object.ciphertext.length - algorithm.tagBytes;
  if (length < 0 || object.iv.length !== algorithm.nonceBytes) {
    throw coseError(
      'COSE_MALFORMED',
      `COSE_Encrypt0: IV or ciphertext are not of the length of ${algorithm.name}`,
    );
  }
  checkLengths(algorithm, key, object.iv);
  const protectedHeader = object.protectedHeader ?? encodeProtectedHeader(object.algorithm);
  const decipher = createDecipheriv(algorithm.cipher as CipherCCMTypes, key, object.iv, {
    authTagLength: algorithm.tagBytes,
  });
  decipher.setAuthTag(object.ciphertext.subarray(length));
  decipher.setAAD(encStructure(protectedHeader, externalAad), { plaintextLength: length });
  try {
    // CCM verifies in update(), GCM in final(): nothing leaves before both have passed.
    const plaintext = decipher.update(object.ciphertext.subarray(0, length));
    return concatBytes(plaintext, decipher.final());
  } catch (cause) {
    throw coseError('COSE_AUTHENTICATION_FAILED', 'the ciphertext does not verify', { cause });
  }
}

const NOTHING = new Uint8Array();
const EMPTY_MAP = 0xa0;
/** An array of three that begins with the text "Encrypt0". */
const CONTEXT = Uint8Array.of(0x83, 0x68, ...Buffer.from('Encrypt0', 'ascii'));

/**
 * Enc_structure (RFC 9052 §5.3): what the AEAD authenticates beside the plaintext. Written by hand because it
 * is made once a record, and takes a general encoder as long as the cipher.
 */
function encStructure(protectedHeader: Uint8Array, externalAad: Uint8Array = NOTHING): Uint8Array {
  // An empty map is authenticated as a zero-length string, however it was sent.
  const empty = protectedHeader.length === 1 && protectedHeader[0] === EMPTY_MAP;
  const writer = new ByteWriter(CONTEXT.length + 16 + protectedHeader.length + externalAad.length);
  writer.bytes(CONTEXT);
  for (const part of [empty ? NOTHING : protectedHeader, externalAad]) writeByteString(writer, part);
  return writer.view();
}

/** A CBOR byte string with the shortest length (RFC 8949 §4.2.1). */
function writeByteString(writer: ByteWriter, data: Uint8Array): void {
  if (data.length < 24) writer.u8(0x40 + data.length);
  else if (data.length < 0x100) writer.u8(0x58).u8(data.length);
  else if (data.length < 0x10000) writer.u8(0x59).u16(data.length);
  else writer.u8(0x5a).u32(data.length);
  writer.bytes(data);
}

function algorithmOf(id: number): CoseAlgorithm {
  const algorithm = COSE_ALGORITHMS.get(id);
  if (algorithm === undefined)
    throw coseError('COSE_ALGORITHM_UNSUPPORTED', `algorithm ${id} is not supported`);
  return algorithm;
}

function checkLengths(algorithm: CoseAlgorithm, key: SecretKey, iv: Uint8Array): void {
  const keyBytes = key instanceof Uint8Array ? key.length : key.symmetricKeySize;
  if (keyBytes !== algorithm.keyBytes || iv.length !== algorithm.nonceBytes) {
    throw coseError(
      'COSE_KEY_INVALID',
      `${algorithm.name} takes a key of ${algorithm.keyBytes} bytes and an IV of ${algorithm.nonceBytes}`,
    );
  }
}
