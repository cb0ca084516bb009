import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { FIRST_GENERATION } from '../domain/key-versions.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { partyId, type PartyId } from '../domain/party.ts';
import type { MeterSwitch } from '../domain/switch/meter-switch.ts';
import {
  cardLabel,
  FIRST_DERIVATION_VERSION,
  FIRST_RECORD_KEY_VERSION,
  RECEIPT_KEY_BYTES,
} from '../manufacture/first-keys.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';

/** What an auditor is given after a rehearsal: its keys open nothing that lives on. */
export interface Disclosure {
  readonly suppliers: {
    readonly supplier: string;
    readonly keyVersion: number;
    readonly recordMasterKey: Uint8Array;
  }[];
  /** Secrets that must be found nowhere outside of their owner's vault. */
  readonly canaries: {
    readonly owner: string;
    readonly name: string;
    readonly value: Uint8Array;
    readonly onCard: boolean;
  }[];
  readonly receiptKeys: ReadonlyMap<string, Uint8Array>;
}

/** Meters whose secrets are searched for. */
const CANARY_METERS = 5;

/** Hands out what the checker of a rehearsal needs. */
export class SwitchAudit {
  readonly #custody: KeyCustody;
  readonly #store: ProvisioningStore;

  constructor(custody: KeyCustody, store: ProvisioningStore) {
    this.#custody = custody;
    this.#store = store;
  }

  async disclose(_switchId: string, meters: readonly MeterSwitch[]): Promise<Disclosure> {
    const [first] = meters;
    if (first === undefined) return { suppliers: [], canaries: [], receiptKeys: new Map() };
    const parties = [first.evidence.from, first.evidence.to].map(partyId);
    const devices = await this.#store.devices(meters.map(({ endpoint }) => endpoint));
    const kinds = new Set([...devices.values()].map(({ kind }) => kind));
    const suppliers: Disclosure['suppliers'] = [];
    const canaries: Disclosure['canaries'] = [];
    for (const party of parties) {
      const vault = this.#custody.vault(party);
      await vault.ensureMaster('record', FIRST_RECORD_KEY_VERSION);
      for (const { purpose, version, state } of await vault.keys()) {
        if (purpose !== 'record' || state !== 'active') continue;
        const recordMasterKey = await vault.release('record', version);
        suppliers.push({ supplier: party, keyVersion: version, recordMasterKey });
        canaries.push({ owner: party, name: 'record master key', value: recordMasterKey, onCard: false });
      }
      for (const { endpoint } of meters.slice(0, CANARY_METERS)) {
        canaries.push({
          owner: party,
          name: `record key of ${endpoint}`,
          value: await vault.recordKey(FIRST_RECORD_KEY_VERSION, endpoint),
          onCard: true,
        });
      }
      for (const device of [...devices.values()].slice(0, CANARY_METERS)) {
        await vault.ensureMaster('domain', FIRST_GENERATION);
        const { enc, mac, dek } = await vault.diversify('domain', FIRST_GENERATION, device.diversification);
        const name = `domain keys of ${device.endpoint}`;
        canaries.push(...[enc, mac, dek].map((value) => ({ owner: party, name, value, onCard: true })));
      }
    }
    for (const kind of kinds) suppliers.push(...(await this.#others(kind, parties)));
    const receiptKeys = new Map<string, Uint8Array>();
    for (const device of devices.values()) {
      const issuer = this.#custody.vault(CARD_PLANS[device.kind].issuer);
      const label = cardLabel(device.diversification);
      receiptKeys.set(
        device.endpoint,
        await issuer.derive('receipt', FIRST_DERIVATION_VERSION, label, RECEIPT_KEY_BYTES),
      );
    }
    return { suppliers, canaries, receiptKeys };
  }

  /** Record keys of the others on a card: what they open, and whether that is more than their own records. */
  async #others(kind: DeviceKind, parties: readonly PartyId[]): Promise<Disclosure['suppliers']> {
    const others = CARD_PLANS[kind].domains.map(({ party }) => party).filter((one) => !parties.includes(one));
    return Promise.all(
      others.map(async (party) => {
        const vault = this.#custody.vault(party);
        await vault.ensureMaster('record', FIRST_RECORD_KEY_VERSION);
        const recordMasterKey = await vault.release('record', FIRST_RECORD_KEY_VERSION);
        return { supplier: party, keyVersion: FIRST_RECORD_KEY_VERSION, recordMasterKey };
      }),
    );
  }
}
