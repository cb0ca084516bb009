import { isSwitchReason, SWITCH_REASONS, type MeterEvidence } from '@sefleet/evidence';
import type { RehearsalResult } from '../rehearsal/rehearsal-result.ts';

/** One switch of one meter, as a line of a table. */
export interface MeterRow {
  readonly endpoint: string;
  readonly from: string;
  readonly to: string;
  readonly state: string;
  readonly reason: string;
  readonly detail: string;
  /** Whose the device is now; both names when its cut-over was sealed and the rest is missing. */
  readonly staysWith: string;
  readonly cutOverAt: string;
  /** What the register said at the cut-over, and how the reading came about. */
  readonly registerWh: number | '';
  readonly source: 'actual' | 'late' | 'missing';
  /** Reading less instant, by true time. */
  readonly offsetMs: number | '';
  /** SHA-256 of the sealed records: each supplier holds its own. */
  readonly closingRecord: string;
  readonly openingRecord: string;
  /** Versions of the keys that the old and the new domain had, and the check values of the new ones. */
  readonly oldKeyVersion: string;
  readonly newKeyVersion: string;
  readonly newKeyCheckValues: string;
  readonly keysInstalledAt: string;
  /** `not started`, `accepted`, `installed`, `confirmed`, `failed` or `rolled back`. */
  readonly keyStatus: string;
  readonly attempts: number;
  /** Sequence number of the last record for the old supplier: nobody takes one up to it any more. */
  readonly replayFloor: number | '';
  readonly probes: string;
  readonly lookUpMs: number | '';
  readonly stagingMs: number | '';
  readonly confirmedMs: number | '';
  readonly bothHadAccessMs: number | '';
  /** From the last reading for the old supplier to the first one for the new. */
  readonly neitherHadReadingsMs: number | '';
  /** Over all switches of the meter: by register, by bill, and what is between them. */
  readonly registerGrowthWh: number | '';
  readonly billedByOldWh: number | '';
  readonly billedByNewWh: number | '';
  readonly residualWh: number | '';
  readonly gapWh: number | '';
  readonly overlapWh: number | '';
}

/** A meter's clock may be off by so much before its reading counts as late. */
const ACTUAL_WITHIN_MS = 60_000;

/** A line for every meter of every switch, in the order of the bundle. */
export function meterRows({ verdict, bundle, truths, details }: RehearsalResult): readonly MeterRow[] {
  const accounts = new Map(verdict.accounts.map((account) => [account.endpoint, account]));
  return bundle.meters.map((meter) => {
    const { endpoint, from, to, state, cutOverAt, cutOver, keyStates, lookUp } = meter;
    const taken = truths.get(endpoint)?.cutOvers.find(({ instant }) => instant === cutOverAt);
    const offsetMs = taken === undefined ? '' : taken.takenAt - cutOverAt;
    const account = accounts.get(endpoint);
    const change = account?.changes.find((one) => one.from === from && one.to === to);
    const owned = keyStates.filter(({ when }) => when === 'after-rotation').at(-1);
    return {
      endpoint,
      from,
      to,
      state,
      ...judged(meter, details.get(endpoint) ?? '', offsetMs),
      staysWith: state === 'confirmed' ? to : cutOver === undefined ? from : `${from}, ${to}`,
      cutOverAt: new Date(cutOverAt).toISOString(),
      registerWh: taken?.registerWh ?? '',
      source: sourceOf(offsetMs),
      offsetMs,
      closingRecord: cutOver?.closingRecord ?? '',
      openingRecord: cutOver?.openingRecord ?? '',
      oldKeyVersion: state === 'confirmed' ? 'removed' : 'unchanged',
      newKeyVersion: versionsOf(owned?.keys ?? []),
      newKeyCheckValues: meter.newKeyCheckValues.join(' '),
      keysInstalledAt: timeOf(stepOf(meter, 'own-keys')?.endedAt),
      keyStatus: keyStatusOf(meter),
      attempts: meter.timings.reduce((sum, { attempts }) => sum + attempts, 0),
      replayFloor: change?.replayFloor ?? '',
      probes: meter.probes.map(({ attempt, sw }) => `${attempt} ${sw}`).join(' '),
      lookUpMs: lookUp?.answeredAt === undefined ? '' : lookUp.answeredAt - lookUp.askedAt,
      stagingMs: spanOf(meter.timings[0]?.startedAt, stepOf(meter, 'schedule')?.endedAt),
      confirmedMs: state === 'confirmed' ? endOf(meter) - cutOverAt : '',
      bothHadAccessMs: spanOf(stepOf(meter, 'open-account')?.endedAt, stepOf(meter, 'remove-old')?.endedAt),
      neitherHadReadingsMs: change === undefined ? '' : change.firstAt - change.lastAt,
      registerGrowthWh: account?.growthWh ?? '',
      billedByOldWh: account === undefined ? '' : (account.billedWh[from] ?? 0),
      billedByNewWh: account === undefined ? '' : (account.billedWh[to] ?? 0),
      residualWh: account?.residualWh ?? '',
      gapWh: account?.gapWh ?? '',
      overlapWh: account?.overlapWh ?? '',
    };
  });
}

/** The reason of a meter, or what is wrong with it though it is confirmed. */
function judged(
  { state, reason }: MeterEvidence,
  detail: string,
  offsetMs: number | '',
): Pick<MeterRow, 'reason' | 'detail'> {
  if (state !== 'confirmed' || sourceOf(offsetMs) !== 'late') {
    const meaning = isSwitchReason(reason) ? SWITCH_REASONS[reason].meaning : '';
    return { reason, detail: detail === '' ? meaning : detail };
  }
  const seconds = (Math.abs(Number(offsetMs)) / 1000).toFixed(1);
  const side = Number(offsetMs) < 0 ? 'before' : 'after';
  return {
    reason: 'clock-drift',
    detail: `The cut-over reading was taken ${seconds} s ${side} the instant, by true time.`,
  };
}

/** When the last step of a meter was over. */
export function endOf({ timings }: MeterEvidence): number {
  return timings.reduce((last, { endedAt }) => Math.max(last, endedAt), 0);
}

function sourceOf(offsetMs: number | ''): MeterRow['source'] {
  if (offsetMs === '') return 'missing';
  return Math.abs(offsetMs) <= ACTUAL_WITHIN_MS ? 'actual' : 'late';
}

function keyStatusOf({ state, keyStates, tokens }: MeterEvidence): string {
  if (state === 'confirmed') return 'confirmed';
  if (state === 'rolled-back') return 'rolled back';
  if (state === 'exception') return 'failed';
  if (keyStates.some(({ when }) => when === 'after-rotation')) return 'installed';
  return Object.keys(tokens).length > 0 ? 'accepted' : 'not started';
}

function versionsOf(keys: readonly string[]): string {
  return [...new Set(keys.map((key) => key.split('/')[1] ?? ''))].join(' ');
}

function stepOf({ timings }: MeterEvidence, name: string): { readonly endedAt: number } | undefined {
  return timings.find(({ step }) => step === name);
}

function spanOf(from: number | undefined, until: number | undefined): number | '' {
  return from === undefined || until === undefined ? '' : until - from;
}

function timeOf(at: number | undefined): string {
  return at === undefined ? '' : new Date(at).toISOString();
}
