import type { NotificationAttributes } from './attributes.ts';

/** A value that thresholds can look at; undefined for everything else. */
export type Sample = number | boolean | undefined;

/** What one observation remembers between notifications. Times are monotonic milliseconds. */
export interface NotificationState {
  lastSentMs: number;
  lastEvaluatedMs: number;
  /** The value last sent, for gt, lt and st. */
  lastSent: Sample;
  /** The value last looked at, for edge. */
  lastSeen: Sample;
  /** A condition was met and waits for pmin to pass. */
  due: boolean;
  /** Something changed and waits for epmin to pass before it is looked at. */
  unevaluated: boolean;
}

/** What to do now. */
export interface NotificationDecision {
  readonly send: boolean;
  /** When to ask again though nothing changes; undefined: only after a change. */
  readonly wakeAtMs: number | undefined;
}

/** The state after the first answer of an observation. */
export function startNotification(sample: Sample, nowMs: number): NotificationState {
  return {
    lastSentMs: nowMs,
    lastEvaluatedMs: nowMs,
    lastSent: sample,
    lastSeen: sample,
    due: false,
    unevaluated: false,
  };
}

/**
 * The notification rules of Core §5.1.2 as a pure step: takes the state, the attributes that count and the
 * present value, and says whether to notify. `changed` tells that the observed node has a new value since the
 * last call.
 */
export function stepNotification(
  state: NotificationState,
  attributes: NotificationAttributes,
  sample: Sample,
  changed: boolean,
  nowMs: number,
): NotificationDecision {
  if (changed) state.unevaluated = true;
  const { epmin = 0, epmax } = attributes;
  const elapsedMs = nowMs - state.lastEvaluatedMs;
  const sampleDue = epmax !== undefined && elapsedMs >= epmax * 1000;
  if ((state.unevaluated && elapsedMs >= epmin * 1000) || sampleDue) {
    if (conditionMet(state, attributes, sample, state.unevaluated)) state.due = true;
    state.lastSeen = sample;
    state.lastEvaluatedMs = nowMs;
    state.unevaluated = false;
  }
  const { pmin = 0 } = attributes;
  const pmax = effectivePmax(attributes);
  const sinceSentMs = nowMs - state.lastSentMs;
  const send =
    (state.due && sinceSentMs >= pmin * 1000) || (pmax !== undefined && sinceSentMs >= pmax * 1000);
  if (send) {
    state.due = false;
    state.lastSent = sample;
    state.lastSentMs = nowMs;
  }
  return { send, wakeAtMs: wakeAt(state, attributes) };
}

/** Core §5.1.2: a pmax below pmin is ignored, and 0 means none. */
function effectivePmax({ pmin = 0, pmax }: NotificationAttributes): number | undefined {
  return pmax === undefined || pmax === 0 || pmax < pmin ? undefined : pmax;
}

function wakeAt(state: NotificationState, attributes: NotificationAttributes): number | undefined {
  const { pmin = 0, epmin = 0, epmax } = attributes;
  const pmax = effectivePmax(attributes);
  let at = Infinity;
  if (state.due) at = Math.min(at, state.lastSentMs + pmin * 1000);
  if (state.unevaluated) at = Math.min(at, state.lastEvaluatedMs + epmin * 1000);
  if (epmax !== undefined && epmax > 0) at = Math.min(at, state.lastEvaluatedMs + epmax * 1000);
  if (pmax !== undefined) at = Math.min(at, state.lastSentMs + pmax * 1000);
  return at === Infinity ? undefined : at;
}

function conditionMet(
  state: NotificationState,
  { gt, lt, st, edge }: NotificationAttributes,
  sample: Sample,
  changed: boolean,
): boolean {
  if (typeof sample === 'boolean' && edge !== undefined) {
    return sample !== state.lastSeen && sample === (edge === 1);
  }
  const thresholds = gt !== undefined || lt !== undefined || st !== undefined;
  if (typeof sample !== 'number' || !thresholds) return changed;
  if (typeof state.lastSent !== 'number') return true;
  const before = state.lastSent;
  return (
    (gt !== undefined && crossed(before, sample, gt)) ||
    (lt !== undefined && crossed(before, sample, lt)) ||
    (st !== undefined && Math.abs(sample - before) >= st)
  );
}

/** True when the threshold lies between the two, in either direction. */
function crossed(before: number, now: number, threshold: number): boolean {
  return (before <= threshold && now > threshold) || (before >= threshold && now < threshold);
}
