import { meterStatement, signersOf, type MeterEvidence, type SwitchReason } from '@sefleet/evidence';
import type { EventLog } from '@sefleet/observability';
import type { Rng } from '@sefleet/runtime';
import type { ApduChannel, CardLinks } from '../card-link/card-link.ts';
import type { KeyCustody } from '../custody/key-custody.ts';
import { partyId, TRUSTED_SERVICE_MANAGER } from '../domain/party.ts';
import type { GrowingEvidence, MeterSwitch } from '../domain/switch/meter-switch.ts';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';
import { deadlineIn } from '../domain/switch/working-days.ts';
import {
  canBeTakenBack,
  isSwitchOver,
  stepAfter,
  wasBegun,
  type SwitchState,
  type SwitchStep,
} from '../domain/switch/switch-state.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { Device, ProvisioningStore } from '../store/provisioning-store.ts';
import type { SwitchJournal } from '../store/switch-journal.ts';
import { MeterCard } from './meter-card.ts';
import type { MarketRegister } from './market-register.ts';
import type { MeterPort } from './meter-port.ts';
import type { StakeholderPort } from './stakeholder-port.ts';
import { judge } from './reasons.ts';
import { signStatement, StepContext } from './step-context.ts';
import { STEP_ACTIONS } from './steps/step-actions.ts';
import { takeBack } from './steps/take-back.ts';

/** What a meter's switch is run with. */
export interface MeterRunPorts {
  readonly store: ProvisioningStore;
  readonly journal: SwitchJournal;
  readonly custody: KeyCustody;
  readonly links: CardLinks;
  readonly meter: MeterPort;
  readonly market: MarketRegister;
  readonly rng: Rng;
  readonly log: EventLog;
  readonly now: () => number;
  readonly stakeholders: StakeholderPort;
  readonly wallNow: () => number;
  readonly pause: (ms: number) => Promise<void>;
  /** `rehearsed`: owners who handed in no mandate are asked for one on the spot. */
  readonly mandates: 'given' | 'rehearsed';
}

const FIRST_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 15 * 60_000;
/** Taken back because of a failure, not because somebody asked. */
const FAILED = 'failed:';

/**
 * Runs the switch of one meter as far as it goes now. Every state it passes is in the journal before it acts
 * on it.
 */
export class MeterRun {
  readonly #order: SwitchOrder;
  readonly #device: Device;
  readonly #ports: MeterRunPorts;
  /** One conversation for steps that follow each other, and another one after a failure. */
  readonly #channel: ApduChannel;
  #meter: MeterSwitch;
  #evidence: GrowingEvidence;

  constructor(order: SwitchOrder, meter: MeterSwitch, device: Device, ports: MeterRunPorts) {
    this.#order = order;
    this.#meter = meter;
    this.#device = device;
    this.#ports = ports;
    this.#evidence = structuredClone(meter.evidence) as GrowingEvidence;
    this.#channel = lazily(() => ports.links.open(meter.endpoint));
  }

  /**
   * Goes on until the meter is through or has to wait; gives back how it stands then.
   *
   * @param shouldRest is asked before each step, with how the meter stands
   */
  async advance(shouldRest: (meter: MeterSwitch) => boolean): Promise<MeterSwitch> {
    try {
      return await this.#advance(shouldRest);
    } finally {
      this.#channel.close();
    }
  }

  async #advance(shouldRest: (meter: MeterSwitch) => boolean): Promise<MeterSwitch> {
    while (!isSwitchOver(this.#meter.state) && !shouldRest(this.#meter)) {
      const { done, takeBack: wish } = this.#meter;
      const rule = stepAfter(this.#order.verb, done);
      if (wish !== '' && this.#canBeTakenBack()) {
        if (!(await this.#try('take-back', () => this.#takeBack()))) break;
        continue;
      }
      if (rule === undefined) break;
      if (!rule.atCutOver && wish === '' && this.#ports.now() >= this.#order.cutOverAt) {
        const { why, detail } = this.#whyLate(rule.step);
        await this.#record({ takeBack: `${FAILED}${why}`, detail, attempts: 0 });
        continue;
      }
      if (rule.atCutOver && this.#ports.now() < this.#order.cutOverAt) {
        await this.#record({ dueAt: this.#order.cutOverAt });
        break;
      }
      if (!(await this.#try(rule.step, () => this.#step(rule.step, rule.state)))) break;
    }
    return this.#meter;
  }

  /** True when it went well and there may be more to do at once. */
  async #try(what: SwitchStep | 'take-back', run: () => Promise<boolean>): Promise<boolean> {
    try {
      return await run();
    } catch (error) {
      const committed = !this.#canBeTakenBack();
      const { attempts } = this.#meter;
      const { reason, detail, final } = judge(error, { step: what, attempts, committed });
      const late = this.#ports.now() > deadlineIn(this.#order.market, this.#order.cutOverAt);
      this.#ports.log.emit(PROVISIONING_EVENTS.switchStepFailed, {
        endpoint: this.#meter.endpoint,
        step: what,
        detail,
        ...(reason === 'internal-error' ? { error } : {}),
      });
      if (!final && !late) return this.#again(reason, detail);
      const wish = this.#meter.takeBack;
      const reached = reason !== 'unreachable-at-cut';
      if (what !== 'take-back' && wish === '' && this.#canBeTakenBack() && reached) {
        await this.#record({ takeBack: `${FAILED}${reason}`, detail, attempts: 0 });
        return true;
      }
      await this.#finish('exception', wish.startsWith(FAILED) ? wish.slice(FAILED.length) : reason, detail);
      return false;
    }
  }

  /** Why a meter was not prepared in time: what it was waiting for, or what went wrong last. */
  #whyLate(step: SwitchStep): { readonly why: SwitchReason; readonly detail: string } {
    const { reason, detail } = this.#meter;
    if (step === 'look-up')
      return { why: 'look-up-unanswered', detail: 'The market had not answered when the instant came.' };
    if (reason === 'unreachable-at-cut') return { why: reason, detail };
    const last = detail === '' ? '' : ` Before that: ${detail}`;
    return { why: 'missed-instant', detail: `The instant came before the step ${step} was done.${last}` };
  }

  async #step(step: SwitchStep, state: SwitchState): Promise<boolean> {
    const startedAt = this.#ports.now();
    const attempts = this.#meter.attempts + 1;
    const context = this.#context();
    await this.#record({ inDoubt: true, attempts });
    const waitUntil = await this.#withCard(context, () => STEP_ACTIONS[step](context));
    if (waitUntil !== undefined) {
      await this.#record({ inDoubt: false, dueAt: waitUntil, receiptCounter: context.receiptCounter });
      return false;
    }
    this.#evidence.timings.push({ step, startedAt, endedAt: this.#ports.now(), attempts });
    const { receiptCounter } = context;
    if (state === 'confirmed') return this.#finish('confirmed', '', '');
    await this.#record({ done: step, state, inDoubt: false, attempts: 0, receiptCounter, reason: '' });
    return true;
  }

  async #takeBack(): Promise<boolean> {
    const { done, inDoubt, takeBack: wish, detail } = this.#meter;
    const { verb } = this.#order;
    const staged = {
      onCard: wasBegun(verb, 'install-domain', done, inDoubt),
      inMeter: wasBegun(verb, 'schedule', done, inDoubt),
    };
    const startedAt = this.#ports.now();
    const attempts = this.#meter.attempts + 1;
    await this.#record({ attempts });
    const context = this.#context();
    const outcome = await this.#withCard(context, () => takeBack(context, staged));
    if (outcome === 'taken') {
      await this.#record({ takeBack: '', attempts: 0 });
      return true;
    }
    this.#evidence.newKeyCheckValues = [];
    const endedAt = this.#ports.now();
    this.#evidence.timings.push({ step: 'take-back', startedAt, endedAt, attempts });
    if (wish.startsWith(FAILED)) await this.#finish('exception', wish.slice(FAILED.length), detail);
    else await this.#finish('rolled-back', wish, '');
    return false;
  }

  #canBeTakenBack(): boolean {
    return canBeTakenBack(this.#order.verb, this.#meter.done, this.#meter.inDoubt);
  }

  /** Waits longer after every try. */
  async #again(reason: SwitchReason, detail: string): Promise<boolean> {
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#meter.attempts, 10), MAX_PAUSE_MS);
    // What the meter is taken back for stays the reason, whatever comes in between.
    const failure = this.#meter.takeBack.startsWith(FAILED) ? {} : { reason, detail };
    await this.#record({ dueAt: this.#ports.now() + pause, ...failure });
    return false;
  }

  /** The end: the evidence is complete, and the parties counter-sign it. */
  async #finish(state: SwitchState, reason: string, detail: string): Promise<boolean> {
    this.#evidence.state = state;
    this.#evidence.reason = reason;
    this.#evidence.closing = [];
    const context = this.#context();
    const roles = { issuer: context.plan.issuer, tsm: TRUSTED_SERVICE_MANAGER };
    for (const [party, hop] of signersOf(this.#order, roles)) {
      const text = meterStatement({ ...this.#evidence, closing: [] }, hop);
      this.#evidence.closing.push(await signStatement(this.#ports.custody, partyId(party), text));
    }
    const done = state === 'confirmed' ? 'close' : this.#meter.done;
    await this.#record({ state, reason, detail, done, inDoubt: false });
    return false;
  }

  async #record(changes: Partial<MeterSwitch>): Promise<void> {
    const evidence: MeterEvidence = { ...this.#evidence };
    this.#meter = { ...this.#meter, dueAt: 0, ...changes, evidence };
    await this.#ports.journal.record(this.#meter);
  }

  async #withCard<T>(context: StepContext, run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      this.#channel.close();
      throw error;
    } finally {
      this.#meter = { ...this.#meter, receiptCounter: context.receiptCounter };
    }
  }

  #context(): StepContext {
    const { rng, custody, meter, market, store, journal, now } = this.#ports;
    const { stakeholders, wallNow, pause, mandates } = this.#ports;
    const context: StepContext = new StepContext({
      order: this.#order,
      state: this.#meter,
      evidence: this.#evidence,
      device: this.#device,
      card: new MeterCard(this.#channel, this.#device.diversification, rng, this.#evidence.exchanges),
      meter,
      market,
      custody,
      store,
      rng,
      now,
      stakeholders,
      wallNow,
      pause,
      mandates,
      useMandate: (giver, nonce) => journal.useMandate(giver, nonce, this.#meter),
      checkpoint: () => this.#record({ receiptCounter: context.receiptCounter }),
    });
    return context;
  }
}

/** A channel that is opened when it is first used, and again after it was closed. */
function lazily(open: () => ApduChannel): ApduChannel {
  let channel: ApduChannel | undefined;
  return {
    exchange: (commands) => {
      channel ??= open();
      return channel.exchange(commands);
    },
    close: () => {
      channel?.close();
      channel = undefined;
    },
  };
}
