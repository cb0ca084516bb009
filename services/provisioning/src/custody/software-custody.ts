import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '@sefleet/runtime';
import { findParty, type PartyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { openDatabase } from '../store/open-database.ts';
import type { KeyCustody, PartyVault } from './key-custody.ts';
import { Seal } from './sealing.ts';
import { SoftwareVault, VAULT_MIGRATIONS } from './software-vault.ts';

/**
 * Custody in files: one a party under `folder`, every secret sealed with AES-256-GCM under a key that is
 * derived for that party from `rootKey`.
 */
export function createSoftwareCustody(options: {
  readonly folder: string;
  readonly rootKey: Uint8Array;
  readonly clock: Clock;
}): KeyCustody {
  const vaults = new Map<PartyId, { readonly vault: PartyVault; readonly database: DatabaseSync }>();
  const open = (party: PartyId): PartyVault => {
    if (findParty(party) === undefined) {
      throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `nobody is called ${party}`);
    }
    const path = options.folder === ':memory:' ? ':memory:' : join(options.folder, `${party}.vault`);
    const database = openDatabase(path, 'power', VAULT_MIGRATIONS);
    const vault = new SoftwareVault(party, database, new Seal(options.rootKey, party), options.clock);
    vaults.set(party, { vault, database });
    return vault;
  };
  return {
    vault: (party) => vaults.get(party)?.vault ?? open(party),
    close: () => {
      for (const { database } of vaults.values()) database.close();
      vaults.clear();
    },
  };
}
