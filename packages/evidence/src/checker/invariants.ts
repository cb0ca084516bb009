import type { MeterEvidence } from '../evidence.ts';
import { readReceipt } from '../receipts.ts';
import { verifyBundle } from '../verify-bundle.ts';
import type { Continuity } from './continuity.ts';
import type { Invariant, RehearsalRecord } from './rehearsal.ts';

const FINAL = new Set(['confirmed', 'rolled-back', 'exception']);
const NEW_KEYS = 3;
const SHOWN = 3;

type ProblemOf = (meter: MeterEvidence) => string | undefined;

/** Problems by meter, told as one invariant. */
export function invariantOf(name: string, problems: readonly string[], whenHolding: string): Invariant {
  const shown = problems.slice(0, SHOWN).join('; ');
  const more = problems.length > SHOWN ? ` and ${problems.length - SHOWN} more` : '';
  return { name, holds: problems.length === 0, detail: problems.length === 0 ? whenHolding : shown + more };
}

/** The invariants about energy. */
export function energyInvariants(continuity: ReadonlyMap<string, Continuity>): readonly Invariant[] {
  const problems: string[] = [];
  const sums = { gap: 0, overlap: 0, residual: 0 };
  for (const [endpoint, found] of continuity) {
    sums.gap += found.gapWh;
    sums.overlap += found.overlapWh;
    sums.residual += Math.abs(found.residualWh);
    problems.push(...found.problems.map((problem) => `${endpoint}: ${problem}`));
  }
  const none = (name: string, wh: number, what: string): Invariant => ({
    name,
    holds: wh === 0,
    detail: `${wh} Wh ${what}`,
  });
  return [
    none('no energy is billed by nobody', sums.gap, 'in gaps'),
    none('no energy is billed twice', sums.overlap, 'in overlaps'),
    none('bills add up to the growth of the register', sums.residual, 'residual'),
    invariantOf(
      'every reading is there exactly once and with the right supplier',
      problems,
      'all readings accounted for',
    ),
  ];
}

/** The invariants about states, keys and access. */
export function keyInvariants({ bundle, to, cutOverAt, deadlineMs }: RehearsalRecord): readonly Invariant[] {
  const { meters } = bundle;
  const confirmed = meters.filter(({ state }) => state === 'confirmed');
  const takenBack = meters.filter(({ state }) => state === 'rolled-back');
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
  const late: ProblemOf = ({ timings }) => {
    const lateMs = Math.max(...timings.map(({ endedAt }) => endedAt)) - cutOverAt;
    return lateMs <= deadlineMs ? undefined : `confirmed ${lateMs} ms after the instant`;
  };
  return [
    each(
      'every meter has come to an end, with a reason where it is not confirmed',
      meters,
      endProblem,
      `${meters.length} meters`,
    ),
    each("the new supplier's keys are confirmed by the card", confirmed, newKeyProblem, 'all confirmed'),
    each(
      'the fresh domain held nothing but the agreed keys',
      confirmed,
      preloadProblem,
      'no key was loaded ahead',
    ),
    each("the old supplier's keys are gone and refused", confirmed, oldKeyProblem, 'all refused'),
    each('no probe was let in', meters, probeProblem, 'none let in'),
    each(
      'meters that were taken back hold no key of the new supplier',
      takenBack,
      rollbackProblem,
      `${to} left no trace`,
    ),
    each('every switch was confirmed before its deadline', confirmed, late, 'within the deadline'),
  ];
}

/** The invariants about the evidence itself. */
export function evidenceInvariants(rehearsal: RehearsalRecord): {
  readonly invariants: readonly Invariant[];
  readonly receiptsVerified: number;
} {
  const { bundle, receiptKeys, truths, canaryHits } = rehearsal;
  let receiptsVerified = 0;
  const receiptProblems: string[] = [];
  const hopProblems: string[] = [];
  for (const meter of bundle.meters) {
    const read = meter.receipts.map((receipt) => readReceipt(receipt, receiptKeys.get(meter.endpoint)));
    receiptsVerified += read.filter((receipt) => receipt?.verified === true).length;
    receiptProblems.push(...receiptProblemsOf(meter, read).map((problem) => `${meter.endpoint}: ${problem}`));
    if (
      !isSubsequence(
        meter.exchanges.map(({ digest }) => digest),
        truths.get(meter.endpoint)?.exchanges ?? [],
      )
    ) {
      hopProblems.push(`${meter.endpoint}: the card did not see what the hop says it sent`);
    }
  }
  const bundleProblems = verifyBundle(bundle)
    .filter(({ holds }) => !holds)
    .map(({ detail }) => detail);
  return {
    receiptsVerified,
    invariants: [
      invariantOf(
        'receipts verify and their counters follow each other',
        receiptProblems,
        `${receiptsVerified} receipts`,
      ),
      invariantOf('what hops say they sent is what cards saw', hopProblems, 'all exchanges agree'),
      invariantOf(
        'the evidence bundle verifies offline',
        bundleProblems,
        'signatures, certificates and root agree',
      ),
      invariantOf('planted secrets are found with their owners only', canaryHits, '0 found elsewhere'),
    ],
  };
}

function endProblem({ state, reason }: MeterEvidence): string | undefined {
  return FINAL.has(state) && (state === 'confirmed' || reason !== '') ? undefined : `left ${state}`;
}

function probeProblem({ probes }: MeterEvidence): string | undefined {
  return probes.every(({ sw }) => sw !== '9000') ? undefined : 'a probe was let in';
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

function rollbackProblem({ keyStates, newKeyCheckValues }: MeterEvidence): string | undefined {
  const last = keyStates.at(-1);
  if (newKeyCheckValues.length === 0 && keyStates.length === 0) return undefined;
  return last?.when === 'after-removal' && last.keys.length === 0
    ? undefined
    : "the new supplier's domain is still there";
}

function receiptProblemsOf(
  { state, receipts, lostReceipts }: MeterEvidence,
  read: readonly ReturnType<typeof readReceipt>[],
): string[] {
  const problems: string[] = [];
  if (read.some((receipt) => receipt?.verified !== true)) problems.push('a receipt does not verify');
  const counters = [...read.map((receipt) => receipt?.counter ?? 0), ...lostReceipts].toSorted(
    (a, b) => a - b,
  );
  counters.forEach((counter, i) => {
    const before = counters[i - 1];
    if (before !== undefined && counter !== before + 1) problems.push(`receipt ${counter} follows ${before}`);
  });
  const kinds = new Set(receipts.map(({ kind }) => kind));
  const complete = (['install', 'extradition', 'delete'] as const).every((kind) => kinds.has(kind));
  if (state === 'confirmed' && !complete && lostReceipts.length === 0) problems.push('a receipt is missing');
  return problems;
}

/** True when `part` stands in `whole` in its order, with others between. */
function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const digest of whole) if (digest === part[at]) at++;
  return at === part.length;
}
