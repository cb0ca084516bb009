import { join } from 'node:path';
import type { Clock } from '@sefleet/runtime';
import { findParty, type PartyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { openLedger } from './open-ledger.ts';
import type { KeyCustody, PartyVault } from './key-custody.ts';
import type { KeyEngine, Sealer } from './key-engine.ts';
import { KeyLedger, VAULT_MIGRATIONS } from './key-ledger.ts';
import { LedgerVault } from './ledger-vault.ts';

/** What every custody is opened with. */
export interface CustodyOptions {
  /** Where the ledgers are, one SQLite file a party; `:memory:` for tests. */
  readonly folder: string;
  readonly clock: Clock;
  /** How long keys that can be renewed live from their making; undefined for ever. */
  readonly keyValidityMs?: number | undefined;
}

/** Where the keys of all parties are. */
export interface Engines {
  of(party: PartyId): KeyEngine;
  /** Of card images: a card's keys are in its image. */
  readonly images: Sealer;
  close(): void;
}

/**
 * The vaults of all parties over the engines that hold their keys. A vault is opened when it is first asked
 * for.
 */
export function openVaults({ folder, clock, keyValidityMs }: CustodyOptions, engines: Engines): KeyCustody {
  const open = new Map<PartyId, { readonly vault: PartyVault; readonly ledger: KeyLedger }>();
  const openVault = (party: PartyId): PartyVault => {
    if (findParty(party) === undefined) {
      throw provisioningError('PROVISIONING_STAKEHOLDER_NOT_FOUND', `nobody is called ${party}`);
    }
    const path = folder === ':memory:' ? ':memory:' : join(folder, `${party}.vault`);
    const ledger = new KeyLedger(openLedger(path, VAULT_MIGRATIONS), clock);
    const vault = new LedgerVault(party, ledger, engines.of(party), keyValidityMs);
    open.set(party, { vault, ledger });
    return vault;
  };
  return {
    vault: (party) => open.get(party)?.vault ?? openVault(party),
    images: engines.images,
    close: () => {
      for (const { ledger } of open.values()) ledger.close();
      open.clear();
      engines.close();
    },
  };
}
