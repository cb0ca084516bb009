import {
  merkleRoot,
  signersOf,
  switchStatement,
  type PartyEvidence,
  type SwitchEvidence,
} from '@sefleet/evidence';
import { toHex } from '@sefleet/bytes';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { allParties, partyId, TRUSTED_SERVICE_MANAGER } from '../domain/party.ts';
import type { MeterSwitch } from '../domain/switch/meter-switch.ts';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';
import { deadlineIn } from '../domain/switch/working-days.ts';
import { provisioningError } from '../errors.ts';
import type { ProvisioningStore } from '../store/provisioning-store.ts';
import type { PartyRegistry } from './party-registry.ts';
import { signStatement } from './step-context.ts';

/** A switch as its parties signed it, with what their signatures cover. */
export interface ClosedSwitch {
  readonly evidence: SwitchEvidence;
  readonly authority: string;
  readonly parties: readonly PartyEvidence[];
}

/** Has the parties of a switch sign that it was about these meters, all of them and no others. */
export class SwitchClosing {
  readonly #custody: KeyCustody;
  readonly #store: ProvisioningStore;
  readonly #registry: PartyRegistry;
  readonly #authority: string;

  /** @param authority The certificate that the parties' descend from, PEM. */
  constructor(custody: KeyCustody, store: ProvisioningStore, registry: PartyRegistry, authority: string) {
    this.#custody = custody;
    this.#store = store;
    this.#registry = registry;
    this.#authority = authority;
  }

  async close(order: SwitchOrder, meters: readonly MeterSwitch[]): Promise<ClosedSwitch> {
    const evidence = meters.map((meter) => meter.evidence);
    const { switchId, verb, from, to, cutOverAt } = order;
    const facts: SwitchEvidence = {
      switchId,
      verb,
      from,
      to,
      cutOverAt,
      deadlineAt: deadlineIn(order.market, cutOverAt),
      meters: meters.length,
      root: merkleRoot(evidence),
      closing: [],
    };
    const parties = await this.#parties();
    const authority = this.#authority;
    const text = switchStatement(facts, { authority, parties });
    const roles = { issuer: await this.#issuerOf(meters), tsm: TRUSTED_SERVICE_MANAGER };
    const closing = [];
    for (const [party] of signersOf(order, roles))
      closing.push(await signStatement(this.#custody, partyId(party), text));
    return { evidence: { ...facts, closing }, authority, parties };
  }

  #parties(): Promise<readonly PartyEvidence[]> {
    return Promise.all(
      allParties().map(async ({ id, roles }) => {
        return { name: id, roles: [...roles], certificate: toHex(await this.#registry.certificate(id)) };
      }),
    );
  }

  async #issuerOf([first]: readonly MeterSwitch[]): Promise<string> {
    const endpoint = first?.endpoint ?? '';
    const device = (await this.#store.devices([endpoint])).get(endpoint);
    if (device === undefined) throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', endpoint);
    return CARD_PLANS[device.kind].issuer;
  }
}
