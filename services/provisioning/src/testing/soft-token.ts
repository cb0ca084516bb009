import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Debian, Fedora and Homebrew put SoftHSM2. */
const LIBRARIES: readonly string[] = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** The PKCS#11 library that tests use; undefined where SoftHSM2 is not installed. */
export const SOFT_TOKEN_LIBRARY: string | undefined = LIBRARIES.find((path) => existsSync(path));

/** Why tests with tokens cannot run here; false when they can. */
export const SKIP_WITHOUT_SOFT_TOKEN: string | false =
  SOFT_TOKEN_LIBRARY === undefined ? 'SoftHSM2 is not installed' : false;

/** A store of SoftHSM2 of one's own: the variables that a process needs to use it. */
export function createSoftTokenStore() {
  const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
  const tokens = join(folder, 'tokens');
  mkdirSync(tokens, { mode: 0o700 });
  const configuration = join(folder, 'softhsm2.conf');
  writeFileSync(
    configuration,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  return {
    folder,
    tokens,
    environment: {
      SOFTHSM2_CONF: configuration,
      SEFLEET_CUSTODY: 'pkcs11',
      SEFLEET_PKCS11_MODULE: SOFT_TOKEN_LIBRARY ?? '',
      SEFLEET_PKCS11_PINS: join(folder, 'pins'),
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
