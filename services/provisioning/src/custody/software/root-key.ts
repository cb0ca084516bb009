import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { provisioningError } from '../../errors.ts';

const KEY_BYTES = 32;
const FILE = 'vault.key';

/**
 * The key that seals the vaults: from the setting when there is one, otherwise from a file that only its
 * owner may read, made when first needed.
 *
 * @throws SefleetError `CUSTODY_ROOT_KEY_INVALID` unless it is 32 bytes.
 */
export function loadRootKey(setting: string, folder: string): Uint8Array {
  if (setting !== '') return parse(setting, 'SEFLEET_VAULT_KEY');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, FILE);
  if (!existsSync(path)) create(path);
  return parse(readFileSync(path, 'utf8').trim(), path);
}

function create(path: string): void {
  const draft = `${path}.${process.pid}.draft`;
  const file = openSync(draft, 'w', 0o600);
  writeSync(file, `${randomBytes(KEY_BYTES).toString('hex')}\n`);
  fsyncSync(file);
  closeSync(file);
  renameSync(draft, path);
}

function parse(text: string, source: string): Uint8Array {
  const key = /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64');
  if (key.length === KEY_BYTES) return key;
  throw provisioningError('CUSTODY_ROOT_KEY_INVALID', `${source} does not hold 32 bytes`, {
    hint: 'Make one with `openssl rand -hex 32`.',
  });
}
