import { canonicalJson, type SignedStatement } from '@sefleet/evidence';
import { toHex } from '@sefleet/bytes';
import {
  aidBytes,
  STATUS_WORD,
  verifyReceipt,
  type ReceiptContext,
  type ResponseApdu,
  type SecureChannelSession,
} from '@sefleet/globalplatform';
import { SECURITY_DOMAIN_LOAD_FILE } from '@sefleet/secure-element';
import type { Aid } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import type { KeyCustody } from '../custody/key-custody.ts';
import { CARD_PLANS, place, type CardPlan, type DomainPlan } from '../domain/card-plan.ts';
import { FIRST_GENERATION, keyVersionOf } from '../domain/key-versions.ts';
import { TRUSTED_SERVICE_MANAGER, type PartyId } from '../domain/party.ts';
import type { GrowingEvidence, MeterSwitch } from '../domain/switch/meter-switch.ts';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';
import { identityOf } from '../manufacture/card-factory.ts';
import { cardLabel, FIRST_DERIVATION_VERSION, RECEIPT_KEY_BYTES } from '../manufacture/first-keys.ts';
import type { CardIdentity } from '../manufacture/management-domains.ts';
import type { Device, ProvisioningStore } from '../store/provisioning-store.ts';
import type { ScriptLine } from './card-script.ts';
import type { MeterCard } from './meter-card.ts';
import type { MarketRegister } from './market-register.ts';
import type { MeterPort } from './meter-port.ts';
import type { StakeholderPort } from './stakeholder-port.ts';
import { TokenOffice, type AllowedCommand } from './token-office.ts';

const SERIAL_BYTES = 8;

/** What the steps of one meter's switch work with. */
export class StepContext {
  readonly order: SwitchOrder;
  readonly endpoint: string;
  readonly device: Device;
  readonly card: MeterCard;
  readonly meter: MeterPort;
  readonly market: MarketRegister;
  readonly custody: KeyCustody;
  readonly store: ProvisioningStore;
  readonly rng: Rng;
  readonly plan: CardPlan;
  readonly identity: CardIdentity;
  readonly old: DomainPlan;
  readonly fresh: DomainPlan;
  /** The evidence so far; steps add to it, the engine writes it down. */
  readonly evidence: GrowingEvidence;
  readonly tokens: TokenOffice;
  /** True when this step was begun before: its effect may be there already. */
  readonly inDoubt: boolean;
  receiptCounter: number | undefined;
  readonly now: () => number;
  /** The servers of stakeholders. */
  readonly stakeholders: StakeholderPort;
  /** Real time, milliseconds since 1970, and passing it. */
  readonly wallNow: () => number;
  readonly pause: (ms: number) => Promise<void>;
  readonly mandates: 'given' | 'rehearsed';
  /** False when an owner's mandate was used for something else before. */
  readonly useMandate: (giver: PartyId, nonce: string) => Promise<boolean>;
  /** Writes the evidence down in the middle of a step. */
  readonly checkpoint: () => Promise<void>;

  constructor(options: {
    readonly order: SwitchOrder;
    readonly state: MeterSwitch;
    readonly evidence: GrowingEvidence;
    readonly device: Device;
    readonly card: MeterCard;
    readonly meter: MeterPort;
    readonly market: MarketRegister;
    readonly custody: KeyCustody;
    readonly store: ProvisioningStore;
    readonly rng: Rng;
    readonly now: () => number;
    readonly stakeholders: StakeholderPort;
    readonly wallNow: () => number;
    readonly pause: (ms: number) => Promise<void>;
    readonly mandates: 'given' | 'rehearsed';
    readonly useMandate: (giver: PartyId, nonce: string) => Promise<boolean>;
    readonly checkpoint: () => Promise<void>;
  }) {
    const { order, state, device, custody, rng } = options;
    this.order = order;
    this.endpoint = state.endpoint;
    this.device = device;
    this.card = options.card;
    this.meter = options.meter;
    this.market = options.market;
    this.custody = custody;
    this.store = options.store;
    this.rng = rng;
    this.plan = CARD_PLANS[device.kind];
    this.identity = identityOf(device.endpoint);
    this.old = this.#placeOf(order.from);
    this.fresh = this.#placeOf(order.to);
    this.evidence = options.evidence;
    this.inDoubt = state.inDoubt;
    this.receiptCounter = state.receiptCounter;
    this.now = options.now;
    this.stakeholders = options.stakeholders;
    this.wallNow = options.wallNow;
    this.pause = options.pause;
    this.mandates = options.mandates;
    this.useMandate = options.useMandate;
    this.checkpoint = options.checkpoint;
    const issuer = custody.vault(this.plan.issuer);
    this.tokens = new TokenOffice(issuer, this.identity, () => rng.bytes(SERIAL_BYTES));
  }

  /**
   * The applet that seals the records of `party`: the one of the card's plan, which goes from one stakeholder
   * to the next, or one of its own, where it came beside another.
   */
  async recordsOf(party: PartyId): Promise<Aid> {
    const states = await this.store.domains(this.endpoint);
    return states.find((state) => state.party === party)?.records ?? this.plannedRecords;
  }

  /** The applet that the factory made for the supplier. */
  get plannedRecords(): Aid {
    const { domains, supplier } = this.plan;
    return (domains.find(({ role }) => role === supplier) ?? this.old).records;
  }

  /** A session of the trusted service manager with its own domain. */
  async openTsm(): Promise<SecureChannelSession> {
    const vault = this.custody.vault(TRUSTED_SERVICE_MANAGER);
    const keys = await vault.diversify('domain', FIRST_GENERATION, this.device.diversification);
    return this.card.open('tsm', this.plan.management.tsm, keys, keyVersionOf(FIRST_GENERATION));
  }

  /** Makes sure that receipts are counted from before the first command that makes one. */
  async countReceiptsFrom(counted: number): Promise<void> {
    if (this.receiptCounter !== undefined) return;
    this.receiptCounter = counted;
    await this.checkpoint();
  }

  /**
   * A command that a token allows, and whose receipt has to come back and verify. Runs in a script; `refused`
   * says what a status word means.
   *
   * @throws SefleetError `GP_RECEIPT_INVALID` when its answer is taken.
   */
  async delegated(
    { command, tokenDigest }: AllowedCommand,
    done: ReceiptContext,
    refused: (sw: number) => Error,
  ): Promise<ScriptLine> {
    const { kind } = done;
    this.evidence.tokens = { ...this.evidence.tokens, [`${kind} ${tokenDigest.slice(0, 8)}`]: tokenDigest };
    const key = await this.custody
      .vault(this.plan.issuer)
      .derive('receipt', FIRST_DERIVATION_VERSION, cardLabel(this.device.diversification), RECEIPT_KEY_BYTES);
    const take = ({ data, sw }: ResponseApdu): void => {
      if (sw !== STATUS_WORD.OK) throw refused(sw);
      const { confirmation } = verifyReceipt(data, key, done, this.receiptCounter);
      this.receiptCounter = confirmation.counter;
      if (kind === 'install' || kind === 'extradition' || kind === 'delete') {
        this.evidence.receipts.push({ kind, response: toHex(data), context: contextOf(done) });
      }
    };
    return { command, take };
  }

  /**
   * Accounts for receipts that the card made and nobody got: an effect is there, its confirmation went
   * missing. The card's own count says how many.
   */
  accountForLostReceipts(counted: number): void {
    for (let counter = (this.receiptCounter ?? counted) + 1; counter <= counted; counter++) {
      this.evidence.lostReceipts.push(counter);
    }
    this.receiptCounter = counted;
  }

  /** Has a party sign a statement about this meter. */
  async sign(party: PartyId, statement: Readonly<Record<string, unknown>>): Promise<SignedStatement> {
    const text = canonicalJson({ endpoint: this.endpoint, switchId: this.order.switchId, ...statement });
    return signStatement(this.custody, party, text);
  }

  #placeOf(party: PartyId): DomainPlan {
    const planned = this.plan.domains.find((domain) => domain.party === party);
    return planned ?? place(this.device.kind, this.plan.supplier, party);
  }
}

/** A text under a party's signing key. */
export async function signStatement(
  custody: KeyCustody,
  party: PartyId,
  text: string,
): Promise<SignedStatement> {
  const signature = await custody.vault(party).sign(Buffer.from(text));
  return { party, text, signature: Buffer.from(signature).toString('base64') };
}

/** What the receipt of a domain's installation covers. */
export function installed(instance: Aid): ReceiptContext {
  return { kind: 'install', loadFile: aidBytes(SECURITY_DOMAIN_LOAD_FILE), application: aidBytes(instance) };
}

function contextOf(done: ReceiptContext): string[] {
  switch (done.kind) {
    case 'install':
      return [done.loadFile, done.application].map(toHex);
    case 'delete':
      return [toHex(done.object)];
    case 'extradition':
      return [done.from, done.application, done.to].map(toHex);
    default:
      return [];
  }
}
