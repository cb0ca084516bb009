import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { provisioningError } from '../../errors.ts';
import { isOpenToOthers, writeSecretFile } from '../secret-file.ts';

const KEY_BYTES = 32;
const FILE = 'vault.key';

/**
 * The key that seals the vaults: from the setting when there is one, otherwise from a file that only its
 * owner may read, made when first needed.
 *
 * @throws SefleetError `CUSTODY_ROOT_KEY_INVALID` unless it is 32 bytes that nobody else can read.
 */
export function loadRootKey(setting: string, folder: string): Uint8Array {
  if (setting !== '') return parse(setting, 'SEFLEET_VAULT_KEY');
  const path = join(folder, FILE);
  if (!existsSync(path)) writeSecretFile(path, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
  if (isOpenToOthers(path)) {
    throw provisioningError('CUSTODY_ROOT_KEY_INVALID', `${path} can be read by others`, {
      hint: `Run chmod 600 ${path}.`,
    });
  }
  return parse(readFileSync(path, 'utf8').trim(), path);
}

function parse(text: string, source: string): Uint8Array {
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length === KEY_BYTES) return key;
  throw provisioningError('CUSTODY_ROOT_KEY_INVALID', `${source} does not hold 32 bytes`, {
    hint: 'Make one with `openssl rand -hex 32`.',
  });
}
