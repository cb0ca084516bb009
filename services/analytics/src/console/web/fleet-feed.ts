import { useEffect, useState } from 'preact/hooks';
import { watchFleet } from './rpc.ts';
import type { FleetState } from './wire-types.ts';

/** One number over time. */
export interface Series {
  readonly times: readonly number[];
  readonly values: readonly number[];
}

/** The latest snapshot and what came before it, for the sparklines. */
export interface FleetFeed {
  readonly state: FleetState | undefined;
  /** Set while nothing comes. */
  readonly lost: string | undefined;
  readonly history: readonly FleetState[];
}

const INTERVAL_MS = 1000;
/** Five minutes of snapshots. */
const HISTORY = 300;

export function useFleetFeed(): FleetFeed {
  const [feed, setFeed] = useState<FleetFeed>({ state: undefined, lost: undefined, history: [] });
  useEffect(() => {
    const abort = new AbortController();
    void watchFleet(
      INTERVAL_MS,
      abort.signal,
      (state) =>
        setFeed(({ history }) => ({
          state,
          lost: undefined,
          history: [...history.slice(1 - HISTORY), state],
        })),
      (reason) => setFeed((before) => ({ ...before, lost: reason })),
    );
    return () => abort.abort();
  }, []);
  return feed;
}

/** A value of every snapshot. */
export function levels(history: readonly FleetState[], read: (state: FleetState) => number): Series {
  return { times: history.map(timeOf), values: history.map(read) };
}

/** How fast a counter grew between snapshots, per second. */
export function rates(history: readonly FleetState[], read: (state: FleetState) => number): Series {
  const times: number[] = [];
  const values: number[] = [];
  for (let at = 1; at < history.length; at++) {
    const before = history[at - 1];
    const now = history[at];
    if (before === undefined || now === undefined) continue;
    const seconds = timeOf(now) - timeOf(before);
    if (seconds <= 0) continue;
    times.push(timeOf(now));
    // A counter that starts anew with its service did not run backwards.
    values.push(Math.max(0, read(now) - read(before)) / seconds);
  }
  return { times, values };
}

export function counter(state: FleetState, name: string): number {
  return Number(state.counters.find((candidate) => candidate.name === name)?.value ?? 0);
}

function timeOf(state: FleetState): number {
  return state.asOf === undefined ? 0 : Date.parse(state.asOf) / 1000;
}
