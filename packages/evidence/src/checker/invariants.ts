import type { MeterEvidence } from '../evidence.ts';
import { readReceipt } from '../receipts.ts';
import { verifyBundle } from '../verify-bundle.ts';
import type { Continuity } from './continuity.ts';
import { invariantOf, type Invariant } from './invariant.ts';
import type { RehearsalRecord } from './rehearsal.ts';
import { rulesOf } from './verb-rules.ts';

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

function receiptProblemsOf(meter: MeterEvidence, read: readonly ReturnType<typeof readReceipt>[]): string[] {
  const { state, receipts, lostReceipts } = meter;
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
  const { comes, goes } = rulesOf(meter);
  const needed = [
    ...(comes ? (['install', 'extradition'] as const) : []),
    ...(goes ? (['delete'] as const) : []),
  ];
  const complete = needed.every((kind) => kinds.has(kind));
  if (state === 'confirmed' && !complete && lostReceipts.length === 0) problems.push('a receipt is missing');
  return problems;
}

/** True when `part` stands in `whole` in its order, with others between. */
function isSubsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const digest of whole) if (digest === part[at]) at++;
  return at === part.length;
}
