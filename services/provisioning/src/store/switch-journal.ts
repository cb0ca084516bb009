import type { MeterSwitch } from '../domain/switch/meter-switch.ts';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';

/** How a switch is controlled. */
export interface SwitchControls {
  readonly paused: boolean;
  /** Why it stopped by itself; empty while it did not. */
  readonly stopped: string;
}

/** Counts of a switch. */
export interface SwitchCounts {
  readonly states: ReadonlyMap<string, number>;
  readonly exceptions: ReadonlyMap<string, number>;
}

/**
 * The journal of supplier switches: what was meant to happen and what did, of every meter, at every moment.
 */
export interface SwitchJournal {
  /** Writes a switch down; gives back the one that has this request id already, if any. */
  start(requestId: string, order: SwitchOrder, meters: readonly MeterSwitch[]): Promise<string>;
  /** The switch that was started by this request, if any. */
  findRequest(requestId: string): Promise<string | undefined>;
  order(switchId: string): Promise<SwitchOrder | undefined>;
  controls(switchId: string): Promise<SwitchControls>;
  control(switchId: string, controls: SwitchControls): Promise<void>;
  /** Switches with meters that are not through. */
  unfinished(): Promise<readonly string[]>;
  counts(switchId: string): Promise<SwitchCounts>;
  /** Meters of a switch, those that are not through or all, in the order of their names. */
  meters(switchId: string, which: 'open' | 'all'): Promise<readonly MeterSwitch[]>;
  /** Endpoints that a switch which is not over works on. */
  busyMeters(): Promise<ReadonlySet<string>>;
  /** Writes down how a meter stands; the next effect waits for it. */
  record(meter: MeterSwitch): Promise<void>;
  close(): Promise<void>;
}
