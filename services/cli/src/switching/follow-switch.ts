import { setTimeout as sleep } from 'node:timers/promises';
import type { switching } from '@sefleet/api';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { patientClient } from '../rehearsal/patient-client.ts';
import { countOf } from '../rehearsal/pause-watch.ts';
import type { Progress } from '../terminal/progress.ts';
import type { Office } from './collect-bundle.ts';
import { standingOf } from './switch-facts.ts';

const POLL_MS = 500;

/** Waits until a switch is over, or has stopped by itself and needs somebody to decide. */
export async function followSwitch(
  office: Office,
  switchId: string,
  progress: Progress,
): Promise<switching.GetSwitchResponse> {
  // The switch goes on when its service is started again.
  const patient = patientClient(office);
  for (;;) {
    const state = await patient.getSwitch({ switchId });
    const standing = standingOf(state);
    const over = countOf(state, ['confirmed', 'exception', 'rolled-back']);
    const note = state.states.map(({ name, value }) => `${value} ${name}`).join(', ');
    progress.update(standing, over, Number(state.total), note);
    if (standing === 'done' || standing === 'stopped') {
      progress.finish(standing, note);
      return state;
    }
    await sleep(POLL_MS);
  }
}

/** A switch is passed when it is over and no meter ended as an exception. */
export function exitCodeOf(state: switching.GetSwitchResponse): ExitCode {
  const passed = state.done && countOf(state, ['exception']) === 0;
  return passed ? EXIT_CODES.passed : EXIT_CODES.thresholdFailed;
}
