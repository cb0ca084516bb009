import type { EventLog } from '@sefleet/observability';
import { simulationError } from '../errors.ts';
import { EVENTS } from '../events.ts';
import type { FleetPlan, FleetState, FleetStore } from '../store/fleet-store.ts';
import { checkDescriptors } from './descriptor-need.ts';
import { Fleet, type FleetLimits, type FleetPorts } from './fleet.ts';
import { planFleet, type FleetRequest } from './fleet-plan.ts';

/** One device's line in the ledger. */
export interface LedgerEntry {
  readonly endpoint: string;
  readonly sealed: number;
  readonly acknowledged: number;
}

/** The one fleet of this process: started, resumed, drained, stopped. */
export class Simulation {
  readonly #ports: FleetPorts;
  readonly #limits: FleetLimits;
  readonly #store: FleetStore;
  readonly #log: EventLog;
  #fleet: Fleet | undefined;
  #running = false;

  constructor(ports: FleetPorts, limits: FleetLimits) {
    this.#ports = ports;
    this.#limits = limits;
    this.#store = ports.store;
    this.#log = ports.log;
  }

  /** The fleet that runs or ran last, undefined before the first. */
  get fleet(): Fleet | undefined {
    return this.#fleet;
  }

  /** True while devices are switched on. */
  get running(): boolean {
    return this.#running;
  }

  /** Goes on with the fleet that an ended process left on disk, if it was switched on. */
  resume(): void {
    const stored = this.#store.fleet();
    if (stored === undefined || stored.state === 'stopped') return;
    const { state, ...plan } = stored;
    this.#fleet = new Fleet(plan, this.#ports, this.#limits);
    this.#running = true;
    this.#log.emit(EVENTS.fleetResumed, { devices: this.#fleet.total, state });
    this.#fleet.switchOn('resume', state === 'running').catch(() => {
      // Told in the log and counted; the devices that are here go on.
    });
  }

  /**
   * Starts a fleet and waits for its first cards; the devices come up afterwards.
   *
   * Rejects with `SIM_FLEET_EXISTS`, `SIM_PLAN_INVALID`, `SIM_STORE_FAILED`, or with the factory's own error
   * when it makes no such devices: the fleet is then off.
   */
  async start(request: FleetRequest): Promise<void> {
    if (this.#running) {
      throw simulationError('SIM_FLEET_EXISTS', 'a fleet is switched on', {
        hint: 'Stop it first: sefleet fleet stop',
      });
    }
    const plan = planFleet(request);
    checkDescriptors(plan, this.#ports.openFilesLimit?.());
    if (this.#store.hasFixedDevices(plan.connectivity)) {
      throw simulationError(
        'SIM_PLAN_INVALID',
        'devices of this folder were made with other accounts in cards',
        {
          hint: 'Ask for what the fleet was made with, or make a new one in another data folder (SEFLEET_DATA).',
        },
      );
    }
    this.#keep(plan, 'running');
    const fleet = new Fleet(plan, this.#ports, this.#limits);
    this.#fleet = fleet;
    this.#running = true;
    this.#log.emit(EVENTS.fleetStarted, { devices: fleet.total, seed: plan.seed.toString() });
    try {
      await fleet.switchOn('start');
    } catch (error) {
      await fleet.powerOff();
      this.#running = false;
      this.#keep(plan, 'stopped');
      throw error;
    }
  }

  /** Ends the readings and waits for what is under way. @throws SefleetError `SIM_FLEET_PRECONDITION` */
  async drain(timeoutMs: number): Promise<boolean> {
    const fleet = this.#requireFleet();
    this.#keep(fleet.plan, 'draining');
    const drained = await fleet.drain(timeoutMs);
    if (drained) this.#log.emit(EVENTS.fleetDrained, fleet.records());
    return drained;
  }

  /** De-registers the devices and switches them off. @throws SefleetError `SIM_FLEET_PRECONDITION` */
  async stop(): Promise<void> {
    const fleet = this.#requireFleet();
    await fleet.stop();
    this.#running = false;
    this.#keep(fleet.plan, 'stopped');
    this.#log.emit(EVENTS.fleetStopped, fleet.records());
  }

  /** For the end of the process. */
  async powerOff(): Promise<void> {
    if (this.#running) await this.#fleet?.powerOff();
    this.#running = false;
  }

  /** What every device has sealed and had acknowledged, those that are switched off too. */
  *ledger(): Iterable<LedgerEntry> {
    this.#ports.journal.flush();
    yield* this.#store.ledger();
  }

  #requireFleet(): Fleet {
    if (this.#fleet !== undefined && this.#running) return this.#fleet;
    throw simulationError('SIM_FLEET_PRECONDITION', 'no fleet is switched on', {
      hint: 'Start one: sefleet fleet start',
    });
  }

  #keep(plan: FleetPlan, state: FleetState): void {
    this.#store.putFleet({ ...plan, state });
  }
}
