import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeSecretFile } from '../custody/secret-file.ts';
import { provisioningError } from '../errors.ts';

const FILE = 'firmware.key';
const CURVE = 'prime256v1';
const POINT_BYTES = 65;

/**
 * The public key that cards check firmware by, an uncompressed point. It is that of the firmware authority
 * whose PEM file, with a public or a private key, the setting names; or of a key pair in the folder, made
 * when first needed. Cards get the public half only.
 *
 * @throws SefleetError `PROVISIONING_FIRMWARE_KEY_INVALID` unless the file holds a P-256 key
 */
export function loadFirmwareAuthority(setting: string, folder: string): Uint8Array {
  const path = setting === '' ? join(folder, FILE) : setting;
  if (setting === '' && !existsSync(path)) create(path);
  const key = read(path);
  if (key.asymmetricKeyDetails?.namedCurve !== CURVE) throw invalid(path);
  return Uint8Array.from(key.export({ format: 'der', type: 'spki' }).subarray(-POINT_BYTES));
}

function create(path: string): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: CURVE });
  writeSecretFile(path, privateKey.export({ format: 'pem', type: 'pkcs8' }).toString());
}

function read(path: string): KeyObject {
  try {
    return createPublicKey(readFileSync(path));
  } catch (cause) {
    throw invalid(path, cause);
  }
}

function invalid(path: string, cause?: unknown): Error {
  return provisioningError('PROVISIONING_FIRMWARE_KEY_INVALID', `${path} holds no P-256 key`, {
    cause,
    hint: 'Make one with `openssl ecparam -genkey -name prime256v1 -noout`.',
  });
}
