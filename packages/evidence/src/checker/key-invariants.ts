import type { EvidenceBundle, MeterEvidence, SwitchEvidence } from '../evidence.ts';
import { isSwitchReason } from '../reasons.ts';
import { invariantOf, type Invariant } from './invariant.ts';
import { hasBystander, rulesOf } from './verb-rules.ts';

const FINAL = new Set(['confirmed', 'rolled-back', 'exception']);
const NEW_KEYS = 3;
const UNTOUCHED = 'who is not concerned keeps its keys, and they open nothing to others';
const LOOK_UP_MS = 2 * 3_600_000;

type ProblemOf = (meter: MeterEvidence) => string | undefined;

/** The invariants about states, keys and access, from the evidence alone. */
export function keyInvariants({ meters, switches }: EvidenceBundle): readonly Invariant[] {
  const confirmed = meters.filter(({ state }) => state === 'confirmed');
  const takenBack = meters.filter((meter) => meter.state === 'rolled-back' && rulesOf(meter).comes);
  const came = confirmed.filter((meter) => rulesOf(meter).comes);
  const went = confirmed.filter((meter) => rulesOf(meter).goes);
  const beside = confirmed.filter(hasBystander);
  const each = (
    name: string,
    list: readonly MeterEvidence[],
    problemOf: ProblemOf,
    holding: string,
  ): Invariant => {
    const problems = list.flatMap((meter) => {
      const problem = problemOf(meter);
      return problem === undefined ? [] : [`${meter.endpoint}: ${problem}`];
    });
    return invariantOf(name, problems, holding);
  };
  const orders = new Map(switches.map((order) => [order.switchId, order]));
  return [
    each(
      'every meter has come to an end, with a reason where it is not confirmed',
      meters,
      endProblem,
      `${meters.length} meters`,
    ),
    each("the new supplier's keys are confirmed by the card", came, newKeyProblem, 'all confirmed'),
    each(
      'the fresh domain held nothing but the agreed keys',
      came,
      preloadProblem,
      'no key was loaded ahead',
    ),
    each("the old supplier's keys are gone and refused", went, oldKeyProblem, 'all refused'),
    each('the new supplier was refused before the instant', came, earlyProblem, `${came.length} meters`),
    ...(beside.length === 0 ? [] : [each(UNTOUCHED, beside, besideProblem, 'untouched')]),
    each('no probe was let in', meters, probeProblem, 'none let in'),
    each(
      'meters that were taken back hold no key of the new supplier',
      takenBack,
      rollbackProblem,
      'no trace is left',
    ),
    each(
      'every switch was confirmed before its deadline',
      confirmed,
      (meter) => lateProblem(meter, orders),
      'within the deadline',
    ),
    each('the market answered every look-up within two hours', came, lookUpProblem, 'all answered'),
  ];
}

function endProblem({ state, reason }: MeterEvidence): string | undefined {
  if (!FINAL.has(state)) return `left ${state}`;
  return state === 'confirmed' || isSwitchReason(reason) ? undefined : `${reason || 'nothing'} is no reason`;
}

function probeProblem({ probes }: MeterEvidence): string | undefined {
  return probes.every(({ sw }) => sw !== '9000') ? undefined : 'a probe was let in';
}

function earlyProblem({ probes, to, cutOverAt }: MeterEvidence): string | undefined {
  const early = probes.filter(({ by, at }) => by === to && at < cutOverAt);
  if (early.length === 0) return 'the new supplier did not try before the instant';
  return early.every(({ sw }) => sw !== '9000')
    ? undefined
    : 'the new supplier was let in before the instant';
}

function newKeyProblem({ newKeyCheckValues, agreement, keyStates }: MeterEvidence): string | undefined {
  if (newKeyCheckValues.length !== NEW_KEYS) return 'no key check values';
  if (agreement === undefined) return 'no agreement receipt';
  return keyStates.some(({ when }) => when === 'after-rotation')
    ? undefined
    : 'the card was not asked for its keys';
}

function preloadProblem({ keyStates }: MeterEvidence): string | undefined {
  const agreed = keyStates.filter(({ when }) => when === 'after-agreement').at(-1);
  if (agreed === undefined) return 'the fresh domain was not looked at';
  const versions = new Set(agreed.keys.map((key) => key.split('/')[1]));
  return versions.size === 1 && agreed.keys.length === NEW_KEYS
    ? undefined
    : `it held ${agreed.keys.join(' ')}`;
}

function oldKeyProblem({ keyStates, probes, from }: MeterEvidence): string | undefined {
  const removed = keyStates.filter(({ when }) => when === 'after-removal').at(-1);
  if (removed === undefined || removed.keys.length > 0) return 'the old keys are still there';
  const tries = probes.filter(({ by }) => by === from);
  if (tries.length === 0) return 'nobody tried the old keys';
  return tries.every(({ sw }) => sw !== '9000') ? undefined : 'the old keys were let in';
}

/** Somebody came beside another, or went: the other's keys are those of before, and nobody got at them. */
function besideProblem(meter: MeterEvidence): string | undefined {
  const { keyStates, probes, to } = meter;
  const before = keyStates.find(({ when }) => when === 'beside-before');
  const after = keyStates.find(({ when }) => when === 'beside-after');
  if (before === undefined || after === undefined) return 'nobody looked at the one who stays';
  if (before.keys.length === 0 || before.domain !== after.domain) return 'the one who stays has no keys';
  if (before.keys.join() !== after.keys.join())
    return `the keys of the one who stays were ${before.keys.join(' ')} and are ${after.keys.join(' ')}`;
  if (keyStates.some(({ when, domain }) => when === 'after-removal' && domain === before.domain))
    return 'the domain of the one who stays was removed';
  const tries = rulesOf(meter).comes ? probes.filter(({ by }) => by === to) : probes;
  return tries.length === 0 ? 'nobody tried whether keys open the other domain' : undefined;
}

function rollbackProblem({ keyStates, newKeyCheckValues }: MeterEvidence): string | undefined {
  const own = keyStates.filter(({ when }) => !when.startsWith('beside-'));
  const last = own.at(-1);
  if (newKeyCheckValues.length === 0 && own.length === 0) return undefined;
  return last?.when === 'after-removal' && last.keys.length === 0
    ? undefined
    : "the new supplier's domain is still there";
}

/** Two hours are what markets have (BNetzA BK6-22-024), counted here once more. */
function lookUpProblem({ lookUp }: MeterEvidence): string | undefined {
  if (lookUp?.answeredAt === undefined) return 'the market was not asked, or did not answer';
  const { askedAt, answeredAt } = lookUp;
  return answeredAt >= askedAt && answeredAt - askedAt <= LOOK_UP_MS
    ? undefined
    : `answered ${answeredAt - askedAt} ms after the question`;
}

function lateProblem(
  { switchId, timings, cutOverAt }: MeterEvidence,
  orders: ReadonlyMap<string, SwitchEvidence>,
): string | undefined {
  const endedAt = Math.max(...timings.map((timing) => timing.endedAt));
  const late = endedAt > (orders.get(switchId)?.deadlineAt ?? 0);
  return late ? `confirmed ${endedAt - cutOverAt} ms after the instant` : undefined;
}
