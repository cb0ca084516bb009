import type { KeyCustody } from '../key-custody.ts';
import { openVaults, type CustodyOptions } from '../open-vaults.ts';
import { Seal } from './seal.ts';
import { SoftwareEngine } from './software-engine.ts';

/**
 * Custody in files: one a party under `folder`, every secret sealed with AES-256-GCM under a key that is
 * derived for that party from `rootKey`.
 */
export function createSoftwareCustody(
  options: CustodyOptions & { readonly rootKey: Uint8Array },
): KeyCustody {
  const { rootKey } = options;
  const engines = new Map<string, SoftwareEngine>();
  return openVaults(options, {
    of: (party) => {
      const engine = new SoftwareEngine(new Seal(rootKey, party));
      engines.set(party, engine);
      return engine;
    },
    images: new Seal(rootKey, 'factory'),
    close: () => {
      for (const engine of engines.values()) engine.close();
    },
  });
}
