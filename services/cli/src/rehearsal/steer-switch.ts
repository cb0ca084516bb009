import type { switching } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { Office } from '../switching/collect-bundle.ts';

/** Pauses, resumes or takes back; without endpoints it is about all meters. */
export type Steer = (control: switching.SwitchControl, endpoints?: readonly string[]) => Promise<void>;

const LONG_CALL = { deadlineMs: 1_800_000 };

/** A wish that is made again after a kill may come when the switch is over: then it has come true before. */
export function steering(office: Office, switchId: string): Steer {
  return async (control, endpoints = []) => {
    try {
      await office.controlSwitch({ switchId, control, endpoints: [...endpoints] }, LONG_CALL);
    } catch (error) {
      if (!isSefleetError(error, 'SWITCH_OVER_PRECONDITION')) throw error;
    }
  };
}
