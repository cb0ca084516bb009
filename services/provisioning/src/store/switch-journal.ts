import type { MeterSwitch } from '../domain/switch/meter-switch.ts';
import type { SwitchCourse } from '../domain/switch/switch-course.ts';
import type { SwitchOrder } from '../domain/switch/switch-order.ts';
import type { SwitchState, SwitchStep } from '../domain/switch/switch-state.ts';

/** Counts of a switch. */
export interface SwitchCounts {
  readonly states: ReadonlyMap<string, number>;
  readonly exceptions: ReadonlyMap<string, number>;
  /** Meters that are not through, by the last step that is done; those before the first have none. */
  readonly steps: ReadonlyMap<SwitchStep | undefined, number>;
}

/** Which meters of a switch are asked for. */
export interface MeterPage {
  /** In any when empty. */
  readonly states: readonly SwitchState[];
  /** Those whose name comes after this one. */
  readonly after: string;
  readonly limit: number;
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
  /** How a switch as a whole goes; a fresh course for one that nobody knows. */
  course(switchId: string): Promise<SwitchCourse>;
  putCourse(switchId: string, course: SwitchCourse): Promise<void>;
  /** The switches that were started last, the last one first. */
  latest(limit: number): Promise<readonly string[]>;
  /** Switches with meters that are not through. */
  unfinished(): Promise<readonly string[]>;
  counts(switchId: string): Promise<SwitchCounts>;
  /** Meters of a switch, those that are not through or all, in the order of their names. */
  meters(switchId: string, which: 'open' | 'all'): Promise<readonly MeterSwitch[]>;
  /** Some of them, in the order of their names. */
  page(switchId: string, page: MeterPage): Promise<readonly MeterSwitch[]>;
  /** The names of all meters of a switch. */
  endpoints(switchId: string): Promise<readonly string[]>;
  /** Endpoints that a switch which is not over works on. */
  busyMeters(): Promise<ReadonlySet<string>>;
  /**
   * Writes down that an owner's mandate is used for a meter of a switch; false when it was used for something
   * else before.
   */
  useMandate(giver: string, nonce: string, use: Pick<MeterSwitch, 'switchId' | 'endpoint'>): Promise<boolean>;
  /** Writes down how a meter stands; the next effect waits for it. */
  record(meter: MeterSwitch): Promise<void>;
  close(): Promise<void>;
}
