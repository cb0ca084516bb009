import { join } from 'node:path';
import type { Clock } from '@sefleet/runtime';
import { provisioningError } from '../errors.ts';
import type { KeyCustody } from './key-custody.ts';
import { createPkcs11Custody } from './pkcs11/pkcs11-custody.ts';
import { loadRootKey } from './software/root-key.ts';
import { createSoftwareCustody } from './software/software-custody.ts';

/** The custody that the settings ask for. */
export function openCustody(
  settings: {
    readonly custody: 'software' | 'pkcs11';
    readonly vaultKey: string;
    readonly pkcs11Module: string;
    readonly pkcs11PinFile: string;
    readonly keyDays: number;
  },
  dataFolder: string,
  clock: Clock,
): KeyCustody {
  const options = {
    folder: join(dataFolder, 'vaults'),
    clock,
    keyValidityMs: settings.keyDays === 0 ? undefined : settings.keyDays * DAY_MS,
  };
  if (settings.custody === 'software') {
    return createSoftwareCustody({ ...options, rootKey: loadRootKey(settings.vaultKey, dataFolder) });
  }
  if (settings.pkcs11Module === '') {
    throw provisioningError('CUSTODY_TOKEN_UNAVAILABLE', 'SEFLEET_CUSTODY is pkcs11 and there is no module', {
      hint: 'Set SEFLEET_PKCS11_MODULE to a PKCS#11 library, for example /usr/lib/softhsm/libsofthsm2.so.',
    });
  }
  const pinFile = settings.pkcs11PinFile === '' ? join(dataFolder, 'pkcs11.pins') : settings.pkcs11PinFile;
  return createPkcs11Custody({ ...options, module: settings.pkcs11Module, pinFile });
}

const DAY_MS = 86_400_000;
