import type { ByteReader } from '@sefleet/bytes';
import { bytesEqual, concatBytes } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { AES_BLOCK } from '../crypto/aes.ts';
import { aesKeyCheckValue } from '../crypto/key-check-value.ts';
import type { StaticKeys } from '../crypto/key-derivation.ts';
import { globalPlatformError } from '../errors.ts';
import { encodeTlv } from '../tlv/ber-tlv.ts';
import { readAll } from '../tlv/length-value.ts';
import { gpCommand, INS } from './command.ts';

/** Key types (GPCS 2.3.1 table 11-16). */
export const KEY_TYPE = {
  DES: 0x80,
  TDES_CBC: 0x82,
  PSK_TLS: 0x85,
  AES: 0x88,
  HMAC_SHA256: 0x91,
  RSA_EXPONENT: 0xa0,
  RSA_MODULUS: 0xa1,
  EC_PUBLIC: 0xb0,
  EC_PRIVATE: 0xb1,
  EC_PARAMETERS: 0xf0,
} as const;

/** One part of a key as it stands in PUT KEY: type and value, still encrypted when it is secret. */
export interface KeyComponent {
  readonly type: number;
  readonly value: Uint8Array;
}

/** One key of a PUT KEY command. */
export interface PutKeyBlock {
  readonly components: readonly KeyComponent[];
  /** Empty when the sender gives none, as with public keys. */
  readonly checkValue: Uint8Array;
}

/** The data of a PUT KEY command, read. */
export interface PutKey {
  readonly oldVersion: number;
  readonly newVersion: number;
  /** The key identifier of the first key; the others follow it. */
  readonly keyId: number;
  readonly multiple: boolean;
  readonly keys: readonly PutKeyBlock[];
}

/** What both ways of protecting a key need from a session. */
export interface KeyEncryptor {
  encryptSensitive(blocks: Uint8Array): Uint8Array;
}

/** How the value of a symmetric key is written; cards and tools in the field use both. */
export type KeyEncoding = 'length-inside' | 'bare';

const MULTIPLE = 0x80;
const MAX_KEYS = 16;

/**
 * PUT KEY with the three keys ENC, MAC, DEK of a secure channel, as key identifiers 1 to 3.
 *
 * @param session The open session under whose data encryption key the new keys travel.
 * @param options `oldVersion` 0 adds a key set, another replaces that version; `encoding` defaults to a
 * length byte
 *   inside the value.
 * @example
 * const response = await session.transmit(putKeysCommand(session, keys, { newVersion: 0x31 }));
 */
export function putKeysCommand(
  session: KeyEncryptor,
  keys: StaticKeys,
  options: { readonly newVersion: number; readonly oldVersion?: number; readonly encoding?: KeyEncoding },
): CommandApdu {
  const { newVersion, oldVersion = 0, encoding = 'length-inside' } = options;
  const blocks = [keys.enc, keys.mac, keys.dek].map((key) => aesKeyBlock(session, key, encoding));
  const data = concatBytes(Uint8Array.of(newVersion), ...blocks);
  return gpCommand(INS.PUT_KEY, oldVersion, MULTIPLE | 0x01, data);
}

/** PUT KEY with one symmetric key: a receipt key, a record key, a pre-shared key. `type` defaults to AES. */
export function putSymmetricKeyCommand(
  session: KeyEncryptor,
  key: Uint8Array,
  options: { readonly newVersion: number; readonly keyId: number; readonly oldVersion?: number },
): CommandApdu {
  const block = aesKeyBlock(session, key, 'length-inside');
  return gpCommand(
    INS.PUT_KEY,
    options.oldVersion ?? 0,
    options.keyId,
    concatBytes(Uint8Array.of(options.newVersion), block),
  );
}

/** PUT KEY with one public key: EC (`04 X Y` on P-256) or RSA. */
export function putPublicKeyCommand(
  key: { readonly point: Uint8Array } | { readonly modulus: Uint8Array; readonly exponent: Uint8Array },
  options: { readonly newVersion: number; readonly keyId: number; readonly oldVersion?: number },
): CommandApdu {
  const components =
    'point' in key
      ? [encodeTlv(KEY_TYPE.EC_PUBLIC, key.point), Uint8Array.of(KEY_TYPE.EC_PARAMETERS, 1, 0)]
      : [encodeTlv(KEY_TYPE.RSA_MODULUS, key.modulus), encodeTlv(KEY_TYPE.RSA_EXPONENT, key.exponent)];
  const data = concatBytes(Uint8Array.of(options.newVersion), ...components, Uint8Array.of(0));
  return gpCommand(INS.PUT_KEY, options.oldVersion ?? 0, options.keyId, data);
}

/** PUT KEY with an EC private key: its scalar, encrypted. For key agreement keys that a factory writes. */
export function putPrivateKeyCommand(
  session: KeyEncryptor,
  scalar: Uint8Array,
  options: { readonly newVersion: number; readonly keyId: number; readonly oldVersion?: number },
): CommandApdu {
  const value = concatBytes(Uint8Array.of(scalar.length), session.encryptSensitive(padToBlocks(scalar)));
  const data = concatBytes(
    Uint8Array.of(options.newVersion),
    encodeTlv(KEY_TYPE.EC_PRIVATE, value),
    Uint8Array.of(KEY_TYPE.EC_PARAMETERS, 1, 0),
    Uint8Array.of(0),
  );
  return gpCommand(INS.PUT_KEY, options.oldVersion ?? 0, options.keyId, data);
}

/** Reads a PUT KEY command. */
export function decodePutKey(command: CommandApdu): PutKey {
  const multiple = (command.p2 & MULTIPLE) !== 0;
  return readAll(command.data, (reader) => {
    const newVersion = reader.u8();
    const keys: PutKeyBlock[] = [];
    do keys.push(readKeyBlock(reader));
    while (reader.remaining > 0 && multiple && keys.length < MAX_KEYS);
    return { oldVersion: command.p1, newVersion, keyId: command.p2 & ~MULTIPLE, multiple, keys };
  });
}

/**
 * Checks the response to PUT KEY against the keys that were sent.
 *
 * @throws SefleetError `GP_CARD_NOT_AUTHENTIC` when version or key check values differ.
 */
export function checkPutKeyResponse(
  response: Uint8Array,
  newVersion: number,
  keys: readonly Uint8Array[],
): void {
  const expected = concatBytes(Uint8Array.of(newVersion), ...keys.map(aesKeyCheckValue));
  if (!bytesEqual(response, expected)) {
    throw globalPlatformError('GP_CARD_NOT_AUTHENTIC', 'PUT KEY answered with other key check values', {
      context: { newVersion },
    });
  }
}

/**
 * A symmetric value split into the length of the key and its ciphertext (GPCS 2.3.1 tables 11-70 and 11-71).
 */
export function splitSymmetricValue(
  value: Uint8Array,
): { readonly keyLength: number; readonly ciphertext: Uint8Array } | undefined {
  if (value.length > 0 && value.length % AES_BLOCK === 0)
    return { keyLength: value.length, ciphertext: value };
  const [keyLength = 0] = value;
  const ciphertext = value.subarray(1);
  if (ciphertext.length === 0 || ciphertext.length % AES_BLOCK !== 0) return undefined;
  const wanted = Math.ceil(keyLength / AES_BLOCK) * AES_BLOCK;
  return keyLength > 0 && wanted === ciphertext.length ? { keyLength, ciphertext } : undefined;
}

function aesKeyBlock(session: KeyEncryptor, key: Uint8Array, encoding: KeyEncoding): Uint8Array {
  const whole = key.length % AES_BLOCK === 0;
  const ciphertext = session.encryptSensitive(padToBlocks(key));
  const value =
    encoding === 'bare' && whole ? ciphertext : concatBytes(Uint8Array.of(key.length), ciphertext);
  const checkValue = aesKeyCheckValue(key);
  return concatBytes(encodeTlv(KEY_TYPE.AES, value), Uint8Array.of(checkValue.length), checkValue);
}

function padToBlocks(key: Uint8Array): Uint8Array {
  const over = key.length % AES_BLOCK;
  return over === 0 ? key : concatBytes(key, new Uint8Array(AES_BLOCK - over));
}

/**
 * A key block ends with the length of its check value, which no key type byte collides with (all are 80 or
 * above).
 */
function readKeyBlock(reader: ByteReader): PutKeyBlock {
  const components: KeyComponent[] = [];
  while ((reader.peek() ?? 0) >= 0x80) components.push({ type: reader.u8(), value: readKeyValue(reader) });
  const checkValue = reader.bytes(reader.u8());
  return { components, checkValue };
}

function readKeyValue(reader: ByteReader): Uint8Array {
  const first = reader.u8();
  if (first === 0x81) return reader.bytes(reader.u8());
  if (first === 0x82) return reader.bytes(reader.u16());
  return reader.bytes(first);
}
