import { switching } from '@sefleet/api';
import { fromHex } from '@sefleet/bytes';
import type { SignedStatement } from '@sefleet/evidence';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import type { KeyCustody } from '../../custody/key-custody.ts';
import { allParties, type Party } from '../../domain/party.ts';
import type { MeterSwitch } from '../../domain/switch/meter-switch.ts';
import type { SwitchOrder, SwitchVerb } from '../../domain/switch/switch-order.ts';
import { SWITCH_STATES } from '../../domain/switch/switch-state.ts';
import { deadlineIn, DEFAULT_MARKET } from '../../domain/switch/working-days.ts';
import { provisioningError } from '../../errors.ts';
import { playedOn } from '../../switch/faults.ts';
import type { PartyRegistry } from '../../switch/party-registry.ts';
import type { SwitchAudit } from '../../switch/switch-audit.ts';
import type { ClosedSwitch, SwitchClosing } from '../../switch/switch-closing.ts';
import type { SwitchOffice, SwitchProgress } from '../../switch/switch-office.ts';
import { requirePermission } from './authorisation.ts';

const { SwitchVerb: Verb, SwitchControl: Control } = switching;
const VERBS: readonly (readonly [SwitchVerb, switching.SwitchVerb])[] = [
  ['switch', Verb.SWITCH],
  ['erroneous-transfer', Verb.ERRONEOUS_TRANSFER],
  ['forced-switch', Verb.FORCED_SWITCH],
  ['move-in', Verb.MOVE_IN],
  ['add', Verb.ADD],
  ['remove', Verb.REMOVE],
];
const CONTROLS: ReadonlyMap<switching.SwitchControl, 'pause' | 'resume' | 'cancel' | 'object'> = new Map([
  [Control.PAUSE, 'pause'],
  [Control.RESUME, 'resume'],
  [Control.CANCEL, 'cancel'],
  [Control.OBJECT, 'object'],
]);
const DEFAULT_CONCURRENCY = 32;
const MAX_CONCURRENCY = 1024;
const METERS_PER_MESSAGE = 32;
const DEFAULT_LIST = 100;
const MAX_LIST = 1000;
const MANDATE_MAX = 1024;
const SIGNATURE_BYTES = 64;

/** What supplier switches are served with. */
interface SwitchingPorts {
  readonly office: SwitchOffice;
  readonly registry: PartyRegistry;
  readonly audit: SwitchAudit;
  readonly closing: SwitchClosing;
  readonly custody: KeyCustody;
  readonly log: EventLog;
  /**
   * Whether this is a rehearsal: only there may callers keep the time, play faults and have secrets
   * disclosed.
   */
  readonly rehearsal: boolean;
}

/** Supplier switches over gRPC. */
export function serveSwitching(options: SwitchingPorts): ServedService {
  const { office, registry, audit, closing, custody, log } = options;
  const requireRehearsal = (caller: string): void => {
    requirePermission(caller, 'rehearse', log);
    if (!options.rehearsal) throw provisioningError('PROVISIONING_FORBIDDEN', 'this is no rehearsal');
  };
  return serve(switching.SwitchingService, {
    startSwitch: async (request, { caller }) => {
      requirePermission(caller, 'switch-suppliers', log);
      if (request.faults.length > 0) requireRehearsal(caller);
      return { switchId: await office.start(toRequest(request)) };
    },
    getSwitch: async ({ switchId }, { caller }) => {
      requirePermission(caller, 'read-key-states', log);
      return toState(await office.progress(switchId));
    },
    controlSwitch: async ({ switchId, control, endpoints }, { caller }) => {
      requirePermission(caller, 'switch-suppliers', log);
      const wish = CONTROLS.get(control);
      if (wish === undefined) throw provisioningError('PROVISIONING_REQUEST_INVALID', 'no such control');
      const { takenBack, tooLate } = await office.control(switchId, wish, endpoints);
      return { takenBack: BigInt(takenBack), tooLate: BigInt(tooLate) };
    },
    advanceClock: ({ now }, { caller }) => {
      requireRehearsal(caller);
      office.advance(Number(now));
      return {};
    },
    listSwitches: async ({ limit }, { caller }) => {
      requirePermission(caller, 'read-key-states', log);
      const switches = await office.latest(Math.min(limit === 0 ? DEFAULT_LIST : limit, MAX_LIST));
      return { switches: switches.map(toState) };
    },
    async *listMeterSwitches(request, { caller }) {
      requirePermission(caller, 'read-key-states', log);
      const { order } = await office.progress(request.switchId);
      for await (const meters of pagesOf(office, request)) {
        yield { meters: meters.map((meter) => toMeter(meter, order, !request.withoutEvidence)) };
      }
    },
    listParties: async (_request, { caller }) => {
      requirePermission(caller, 'read-key-states', log);
      return { parties: await Promise.all(allParties().map((party) => toParty(party, registry, custody))) };
    },
    closeSwitch: async ({ switchId }, { caller }) => {
      requirePermission(caller, 'switch-suppliers', log);
      const order = await office.ended(switchId);
      return toClosed(await closing.close(order, await office.meters(switchId)));
    },
    disclose: async ({ switchId }, { caller }) => {
      requireRehearsal(caller);
      const { receiptKeys, ...rest } = await audit.disclose(switchId, await office.meters(switchId));
      return { ...rest, receiptKeys: Object.fromEntries(receiptKeys) };
    },
  });
}

function toRequest(request: switching.StartSwitchRequest) {
  const verb = VERBS.find(([, value]) => value === request.verb)?.[0];
  if (verb === undefined) throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a switch needs a verb');
  if (request.concurrency > MAX_CONCURRENCY)
    throw provisioningError('PROVISIONING_REQUEST_INVALID', 'concurrency is at most 1024');
  return {
    requestId: request.requestId,
    verb,
    from: request.fromSupplier,
    to: request.toSupplier,
    endpoints: request.endpoints,
    cutOverAt: Number(request.cutOverAt),
    concurrency: request.concurrency === 0 ? DEFAULT_CONCURRENCY : request.concurrency,
    ratePerMinute: request.ratePerMinute,
    waves: request.waves,
    wavePauseMs: request.wavePauseSeconds * 1000,
    stopAbovePercent: request.stopAbovePercent,
    faults: new Map(request.faults.map(({ name, percent }) => [name, percent])),
    seed: Number(request.seed),
    market: request.market === '' ? DEFAULT_MARKET : request.market,
    mandates: toMandates(request.mandates),
  };
}

function toMandates(given: readonly switching.OwnerMandate[]): ReadonlyMap<string, SignedStatement> {
  const mandates = new Map<string, SignedStatement>();
  for (const { endpoint, party, text, signature } of given) {
    if (mandates.has(endpoint) || text.length > MANDATE_MAX || signature.length !== SIGNATURE_BYTES)
      throw provisioningError('SWITCH_MANDATE_REFUSED', `the mandate for ${endpoint} is none`, {
        hint: `One a device, at most ${MANDATE_MAX} characters, with a signature of ${SIGNATURE_BYTES} bytes.`,
      });
    mandates.set(endpoint, { party, text, signature: Buffer.from(signature).toString('base64') });
  }
  return mandates;
}

function toClosed({ evidence, authority, parties }: ClosedSwitch) {
  return {
    switchJson: JSON.stringify(evidence),
    authority,
    parties: parties.map(({ name, roles, certificate }) => {
      return { name, roles: [...roles], certificate: fromHex(certificate) };
    }),
  };
}

function toState(progress: SwitchProgress) {
  const { order, course } = progress;
  const counters = (counts: ReadonlyMap<string, number>): { name: string; value: bigint }[] =>
    [...counts].map(([name, value]) => ({ name, value: BigInt(value) }));
  return {
    switchId: order.switchId,
    verb: VERBS.find(([name]) => name === order.verb)?.[1] ?? Verb.UNSPECIFIED,
    fromSupplier: order.from,
    toSupplier: order.to,
    cutOverAt: BigInt(order.cutOverAt),
    total: BigInt(progress.total),
    states: counters(progress.states),
    exceptions: counters(progress.exceptions),
    working: BigInt(progress.working),
    nextDueAt: BigInt(progress.nextDueAt),
    paused: course.paused,
    stopped: course.stopped,
    done: progress.done,
    commandsSent: BigInt(progress.commandsSent),
    startedAt: BigInt(Math.round(order.startedAt)),
    deadlineAt: BigInt(deadlineIn(order.market, order.cutOverAt)),
    concurrency: order.concurrency,
    stopAbovePercent: order.stopAbovePercent,
    market: order.market,
    waves: [...order.waves],
    wavePauseSeconds: order.wavePauseMs / 1000,
    ratePerMinute: order.ratePerMinute,
    wave: progress.wave,
    begun: BigInt(progress.begun),
    cancelled: course.cancelled,
    interruptions: course.interruptions.map(({ from, until, stopped }) => {
      return { from: BigInt(Math.round(from)), until: BigInt(Math.round(until)), stopped };
    }),
    preparedAt: course.preparedAt.map((at) => BigInt(Math.round(at))),
    steps: counters(progress.steps),
    stepsDone: BigInt(progress.stepsDone),
    stepsTotal: BigInt(progress.stepsTotal),
  };
}

function toMeter(meter: MeterSwitch, order: SwitchOrder, withEvidence: boolean) {
  const { endpoint, state, reason, detail, evidence, done, attempts, dueAt } = meter;
  return {
    endpoint,
    state,
    reason,
    detail,
    evidenceJson: withEvidence ? JSON.stringify(evidence) : '',
    faults: playedOn(order, endpoint),
    step: done ?? '',
    attempts,
    dueAt: BigInt(Math.round(dueAt)),
  };
}

/** The meters that are asked for, a message's worth at a time. */
async function* pagesOf(
  office: SwitchOffice,
  { switchId, states, after, limit }: switching.ListMeterSwitchesRequest,
): AsyncGenerator<readonly MeterSwitch[]> {
  const wanted = states.map((name) => {
    const state = SWITCH_STATES.find((known) => known === name);
    if (state !== undefined) return state;
    throw provisioningError('PROVISIONING_REQUEST_INVALID', `no meter is ever ${JSON.stringify(name)}`, {
      hint: `Its states are ${SWITCH_STATES.join(', ')}.`,
    });
  });
  let last = after;
  for (let left = limit === 0 ? Infinity : limit; left > 0;) {
    const size = Math.min(left, METERS_PER_MESSAGE);
    const meters = await office.page(switchId, { states: wanted, after: last, limit: size });
    if (meters.length > 0) yield meters;
    if (meters.length < size) return;
    last = meters.at(-1)?.endpoint ?? last;
    left -= meters.length;
  }
}

async function toParty({ id, name, roles }: Party, registry: PartyRegistry, custody: KeyCustody) {
  const keys = await custody.vault(id).keys();
  const holds = keys.map(({ purpose, version, state }) => `${purpose} ${version} (${state})`);
  return { name: id, title: name, roles: [...roles], certificate: await registry.certificate(id), holds };
}
