import type { Verb } from '../command-line.ts';
import { demo } from './demo.ts';
import { deviceAdd } from './device-add.ts';
import { doctor } from './doctor.ts';
import { fleetShow, fleetStart, fleetStop } from './fleet.ts';
import { up } from './up.ts';

/** Every verb, in the order of the help. */
export const VERBS: readonly Verb[] = [up, demo, fleetStart, fleetShow, fleetStop, deviceAdd, doctor];
