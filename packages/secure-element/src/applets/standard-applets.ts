import type { Aid } from '@sefleet/globalplatform';
import type { AppletProgram } from './applet.ts';
import { IOT_SAFE_APPLET } from './iot-safe/iot-safe-applet.ts';
import { RECORDS_APPLET } from './records/records-applet.ts';

/** The applets of this room, by module; one copy for all cards. */
export const STANDARD_APPLETS: ReadonlyMap<Aid, AppletProgram> = new Map(
  [IOT_SAFE_APPLET, RECORDS_APPLET].map((program) => [program.module, program]),
);
