import { switching } from '@sefleet/api';
import { countOf } from '../rehearsal/pause-watch.ts';

/** How a switch stands, in one word. */
export type Standing = 'running' | 'paused' | 'stopped' | 'cancelled' | 'done';

/** Verbs by their names on the command line. */
export const SWITCH_VERBS: ReadonlyMap<string, switching.SwitchVerb> = new Map([
  ['switch', switching.SwitchVerb.SWITCH],
  ['erroneous-transfer', switching.SwitchVerb.ERRONEOUS_TRANSFER],
  ['forced-switch', switching.SwitchVerb.FORCED_SWITCH],
  ['move-in', switching.SwitchVerb.MOVE_IN],
  ['add', switching.SwitchVerb.ADD],
  ['remove', switching.SwitchVerb.REMOVE],
]);

export function standingOf({ done, paused, stopped, cancelled }: switching.GetSwitchResponse): Standing {
  if (done) return 'done';
  if (paused) return 'paused';
  if (cancelled) return 'cancelled';
  return stopped === '' ? 'running' : 'stopped';
}

/** What `switch show --json` prints. */
export function switchFacts(state: switching.GetSwitchResponse) {
  return {
    switchId: state.switchId,
    verb: verbName(state.verb),
    from: state.fromSupplier,
    to: state.toSupplier,
    standing: standingOf(state),
    stopped: state.stopped,
    startedAt: timeOf(state.startedAt),
    cutOverAt: timeOf(state.cutOverAt),
    deadlineAt: timeOf(state.deadlineAt),
    market: state.market,
    meters: Number(state.total),
    begun: Number(state.begun),
    working: Number(state.working),
    nextDueAt: timeOf(state.nextDueAt),
    states: countersOf(state.states),
    exceptions: countersOf(state.exceptions),
    concurrency: state.concurrency,
    ratePerMinute: state.ratePerMinute,
    waves: state.waves,
    wave: state.wave,
    wavePauseSeconds: state.wavePauseSeconds,
    stopAbovePercent: state.stopAbovePercent,
    interruptions: state.interruptions.map(({ from, until, stopped }) => {
      return { from: timeOf(from), until: timeOf(until), stopped };
    }),
  };
}

/** The same for people. */
export function formatSwitch(state: switching.GetSwitchResponse): string {
  const facts = switchFacts(state);
  const lines: (readonly [string, string])[] = [
    ['switch', `${facts.switchId}, ${facts.standing}${facts.stopped === '' ? '' : `: ${facts.stopped}`}`],
    ['what', `${facts.verb}, ${facts.from} to ${facts.to}`],
    ['started', facts.startedAt],
    ['instant', facts.cutOverAt],
    ['deadline', `${facts.deadlineAt} (${facts.market})`],
    ['meters', `${facts.meters}: ${listOf(facts.states)}`],
    ['exceptions', listOf(facts.exceptions)],
    ['rate', facts.ratePerMinute === 0 ? 'no cap' : `${facts.ratePerMinute} a minute`],
    ['waves', wavesOf(state)],
    ...facts.interruptions.map(({ from, until, stopped }): readonly [string, string] => [
      stopped === '' ? 'paused' : 'stopped',
      `${from} to ${until === '' ? 'now' : until}${stopped === '' ? '' : `: ${stopped}`}`,
    ]),
  ];
  const next = [`next due at ${facts.nextDueAt}`].filter(() => facts.nextDueAt !== '');
  lines.push(['work', [`${facts.working} at once now`, ...next].join(', ')]);
  return lines.map(([name, value]) => `${name.padEnd(11)} ${value}`).join('\n');
}

/** One line of `switch list`. */
export function switchRow(state: switching.GetSwitchResponse) {
  return {
    switch: state.switchId,
    started: timeOf(state.startedAt),
    what: `${state.fromSupplier} to ${state.toSupplier}`,
    instant: timeOf(state.cutOverAt),
    standing: standingOf(state),
    meters: Number(state.total),
    confirmed: countOf(state, ['confirmed']),
    exceptions: countOf(state, ['exception']),
    'rolled back': countOf(state, ['rolled-back']),
  };
}

/** Milliseconds since 1970 as people read them; empty for 0. */
export function timeOf(at: bigint): string {
  return at === 0n ? '' : new Date(Number(at)).toISOString();
}

function verbName(verb: switching.SwitchVerb): string {
  return [...SWITCH_VERBS].find(([, value]) => value === verb)?.[0] ?? 'unknown';
}

function wavesOf({ waves, wave, wavePauseSeconds, begun, total }: switching.GetSwitchResponse): string {
  if (waves.length === 0) return 'all at once';
  const rest = waves.reduce((sum, share) => sum + share, 0) < 100 ? ', rest' : '';
  const pause = wavePauseSeconds === 0 ? '' : `, ${wavePauseSeconds} s between them`;
  const now = begun === total ? 'all begun' : `now the ${wave}. of them`;
  return `${waves.map((share) => `${share} %`).join(', ')}${rest}${pause}; ${now}`;
}

function countersOf(counters: readonly { readonly name: string; readonly value: bigint }[]) {
  return Object.fromEntries(counters.map(({ name, value }) => [name, Number(value)]));
}

function listOf(counts: Readonly<Record<string, number>>): string {
  return (
    Object.entries(counts)
      .map(([name, n]) => `${n} ${name}`)
      .join(', ') || 'none'
  );
}
