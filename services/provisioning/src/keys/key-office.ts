import type { KeyCustody, KeyPurpose, KeyRecord } from '../custody/key-custody.ts';
import type { KeyAction, KeyEvent } from '../domain/key-life-cycle.ts';
import { FIRST_GENERATION } from '../domain/key-versions.ts';
import type { PartyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import type { RotationOrders } from '../rotation/rotation-orders.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';

const PURPOSES: readonly KeyPurpose[] = [
  'issuer-domain',
  'domain',
  'record',
  'psk',
  'receipt',
  'agreement',
  'signing',
];
const REASON_MAX = 200;

/** A renewal: the key that comes next, and the rotation that brings it to the cards. */
export interface Renewal {
  readonly key: KeyRecord;
  /** Empty where no card holds the key. */
  readonly rotationId: string;
  /** Cards that the rotation works on: those that are busy otherwise are left out. */
  readonly devices: number;
}

/** The life of the parties' keys, as their owners steer it. */
export class KeyOffice {
  readonly #custody: KeyCustody;
  readonly #orders: RotationOrders;
  readonly #store: ProvisioningStore;

  constructor(custody: KeyCustody, orders: RotationOrders, store: ProvisioningStore) {
    this.#custody = custody;
    this.#orders = orders;
    this.#store = store;
  }

  list(party: PartyId): Promise<readonly KeyRecord[]> {
    return this.#custody.vault(party).keys();
  }

  history(party: PartyId, purpose: string, version: number): Promise<readonly KeyEvent[]> {
    return this.#custody.vault(party).history(purposeOf(purpose), version);
  }

  /**
   * Moves a key along its life. A key that cards still hold is not destroyed: they would be lost.
   *
   * @param by Who asks, for the history.
   */
  async change(
    party: PartyId,
    purpose: string,
    version: number,
    action: KeyAction,
    reason: string,
    by: string,
  ): Promise<KeyRecord> {
    if (reason === '' || reason.length > REASON_MAX) {
      throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a reason of 1 to 200 characters is needed');
    }
    const known = purposeOf(purpose);
    if (action === 'destroy' && known === 'domain') await this.#requireUnused(party, version);
    return this.#custody.vault(party).changeState(known, version, action, `${reason} (${by})`);
  }

  /**
   * Makes the next version of the keys of a party's Security Domains, or of its record key, and starts the
   * rotation that brings it to the cards. A record key travels under fresh domain keys: both change then.
   *
   * @param endpoints Empty for all devices with a domain of the party.
   */
  async renew(
    party: PartyId,
    purpose: string,
    requestId: string,
    endpoints: readonly string[] = [],
  ): Promise<Renewal> {
    const known = purposeOf(purpose);
    if (known !== 'domain' && known !== 'record') {
      throw provisioningError(
        'CUSTODY_RENEWAL_PRECONDITION',
        `a ${purpose} key is not renewed in the field`,
        {
          hint: 'Keys of Security Domains and of records are: purpose "domain" or "record".',
        },
      );
    }
    const held = await this.#store.generations(party);
    const record = known === 'record' ? await this.nextKey(party, known) : undefined;
    if (held.size === 0) {
      return { key: record ?? (await this.nextKey(party, known)), rotationId: '', devices: 0 };
    }
    const order = { requestId, stakeholder: party, endpoints, concurrency: 0 };
    const { rotationId, total } = await this.#orders.start(order);
    if (record !== undefined) return { key: record, rotationId, devices: total };
    const next = Math.max(FIRST_GENERATION, ...held.keys()) + 1;
    const key = await this.#custody.vault(party).ensureMaster('domain', next);
    return { key, rotationId, devices: total };
  }

  /** Makes the version after the newest that there ever was; a rotation brings it to the cards. */
  async nextKey(party: PartyId, purpose: 'domain' | 'record'): Promise<KeyRecord> {
    const vault = this.#custody.vault(party);
    const versions = (await vault.keys()).map((key) => (key.purpose === purpose ? key.version : 0));
    return vault.ensureMaster(purpose, Math.max(0, ...versions) + 1);
  }

  async #requireUnused(party: PartyId, version: number): Promise<void> {
    const devices = (await this.#store.generations(party)).get(version) ?? 0;
    if (devices === 0) return;
    throw provisioningError(
      'CUSTODY_KEY_STATE_PRECONDITION',
      `domain key ${version} of ${party} is on ${devices} cards`,
      { hint: 'Renew the key first: `sefleet keys renew`.' },
    );
  }
}

function purposeOf(text: string): KeyPurpose {
  const purpose = PURPOSES.find((known) => known === text);
  if (purpose !== undefined) return purpose;
  throw provisioningError('PROVISIONING_REQUEST_INVALID', `${JSON.stringify(text)} is no purpose of a key`, {
    hint: `Use one of ${PURPOSES.join(', ')}.`,
  });
}
