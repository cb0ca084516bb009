import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { fleet, simulation } from '@sefleet/api';
import type { Backend } from '../backend.ts';
import { startRequest } from '../fleet/fleet-options.ts';
import type { Progress } from '../terminal/progress.ts';
import { compareLedgers, type LedgerTotals } from './ledger.ts';
import { plannedKinds, totalDevices } from '../fleet/planned-kinds.ts';
import { Patience } from './patience.ts';
import type { DemoPlan } from './plan.ts';
import type { DemoObservations } from './summary.ts';

const POLL_MS = 250;
/** Answers about a large fleet cost the services something: they are asked less often then. */
const POLL_MS_A_DEVICE = 0.1;
/** Nothing moved for so long: it is over. */
const STALL_LIMIT_MS = 60_000;
/** A machine with too much to do answers late; that is no reason to give up a run of minutes. */
const PATIENT = { deadlineMs: 60_000 } as const;
const DRAIN_LIMIT_MS = 60_000;
const DRAIN_LIMIT_MS_A_DEVICE = 20;

/**
 * The main job on a running system: switch the fleet on, let it stream, rotate every supplier's keys
 * meanwhile, stop the readings, wait until all are acknowledged, and read both sides' counts.
 *
 * @param startedMs when the demo itself began (monotonic), for the time to the first registered device.
 */
export async function runDemo(
  backend: Backend,
  plan: DemoPlan,
  progress: Progress,
  startedMs: number,
): Promise<DemoObservations> {
  const total = totalDevices(plan);
  const fleetStartedMs = performance.now();
  await backend.simulation.startFleet(startRequest(plannedKinds(plan), plan), { deadlineMs: 60_000 });
  const registered = await untilRegistered(backend, total, progress);
  const startToFirstRegisteredMs = fleetStartedMs - startedMs + registered.firstRegisteredMs;
  const streamUntilMs = performance.now() + plan.durationSeconds * 1000;
  const rotationStartedMs = performance.now();
  const rotation = await rotateKeys(backend, total, progress);
  const rotationMs = performance.now() - rotationStartedMs;
  while (performance.now() < streamUntilMs) {
    await showStream(backend, progress);
    await pause(total);
  }
  const flowing = await backend.telemetry.getIngestStatistics({}, PATIENT);
  const devices = await drain(backend, total, progress);
  const servers = await backend.management.getStatistics({}, PATIENT);
  const ledger = await untilSettled(backend, total, progress);
  return {
    devices,
    servers,
    rotation,
    rotationMs,
    ledger,
    rowsPerSecond: flowing.rowsPerSecond,
    startToFirstRegisteredMs,
  };
}

async function untilRegistered(
  backend: Backend,
  total: number,
  progress: Progress,
): Promise<simulation.FleetProgress> {
  const patience = new Patience(STALL_LIMIT_MS);
  for (;;) {
    const state = await fleetProgress(backend);
    const registered = sum(state, 'registered');
    const errors = state.errors.reduce((all, { value }) => all + Number(value), 0);
    const note = `bootstrapped ${sum(state, 'bootstrapped')}, ${state.dtlsHandshakes} handshakes, ${errors} errors`;
    progress.update('register', registered, total, note);
    if (registered >= total || patience.isOver(registered)) {
      progress.finish(
        'register',
        `${registered} of ${total} devices in ${Math.round(state.allRegisteredMs)} ms; ${note}`,
      );
      return state;
    }
    await pause(total);
  }
}

async function rotateKeys(backend: Backend, total: number, progress: Progress): Promise<fleet.RotationState> {
  const patience = new Patience(STALL_LIMIT_MS);
  const started = await backend.fleet.startRotation({ requestId: randomUUID() }, { deadlineMs: 60_000 });
  let state = started.rotation;
  while (state === undefined || !(state.done || patience.isOver(Number(state.attempted)))) {
    await pause(total);
    const answer = await backend.fleet.getRotation(
      { rotationId: started.rotation?.rotationId ?? '' },
      PATIENT,
    );
    state = answer.rotation;
    const note = `old key refused ${state?.oldKeyRefused ?? 0}, failed ${state?.failed ?? 0}`;
    progress.update('rotate', Number(state?.confirmed ?? 0n), Number(state?.total ?? total), note);
  }
  progress.finish(
    'rotate',
    `${state.confirmed} of ${state.total} keys confirmed, old key refused ${state.oldKeyRefused}, failed ${state.failed}`,
  );
  return state;
}

async function showStream(backend: Backend, progress: Progress): Promise<void> {
  const [state, ingest] = await Promise.all([
    fleetProgress(backend),
    backend.telemetry.getIngestStatistics({}, PATIENT),
  ]);
  progress.update(
    'stream',
    Number(state.recordsAcknowledged),
    Number(state.recordsSealed),
    `${Math.round(ingest.rowsPerSecond)} rows/s`,
  );
}

async function drain(backend: Backend, total: number, progress: Progress): Promise<simulation.FleetProgress> {
  const timeoutMs = DRAIN_LIMIT_MS + total * DRAIN_LIMIT_MS_A_DEVICE;
  progress.update('drain', 0, 1, 'waiting for acknowledgements');
  const answer = await backend.simulation.drainFleet({ timeoutMs }, { deadlineMs: timeoutMs + 5000 });
  const state = answer.progress ?? (await fleetProgress(backend));
  progress.finish('drain', `${state.recordsAcknowledged} of ${state.recordsSealed} records acknowledged`);
  return state;
}

/**
 * What is acknowledged lies in the broker's store on disk; the ledger is read when ingest has taken it from
 * there.
 */
async function untilSettled(backend: Backend, total: number, progress: Progress): Promise<LedgerTotals> {
  const patience = new Patience(STALL_LIMIT_MS / 2);
  for (;;) {
    const ledger = await compareLedgers(backend);
    progress.update('ledger', ledger.stored, ledger.sent, `${ledger.duplicated} duplicated`);
    if (ledger.lost === 0 || patience.isOver(ledger.stored)) {
      progress.finish('ledger', `${ledger.stored} of ${ledger.sent} records stored, ${ledger.lost} lost`);
      return ledger;
    }
    await pause(total);
  }
}

function pause(devices: number): Promise<void> {
  return sleep(Math.max(POLL_MS, devices * POLL_MS_A_DEVICE));
}

async function fleetProgress(backend: Backend): Promise<simulation.FleetProgress> {
  const { progress } = await backend.simulation.getFleet({}, PATIENT);
  if (progress === undefined) throw new RangeError('device-sim answered without progress');
  return progress;
}

function sum(state: simulation.FleetProgress, field: 'registered' | 'bootstrapped'): number {
  return state.kinds.reduce((all, kind) => all + Number(kind[field]), 0);
}
