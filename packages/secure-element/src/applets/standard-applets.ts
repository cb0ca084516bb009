import type { Aid } from '@sefleet/globalplatform';
import type { AppletProgram } from './applet.ts';
import { BOOTSTRAP_APPLET } from './bootstrap/bootstrap-applet.ts';
import { IOT_SAFE_APPLET } from './iot-safe/iot-safe-applet.ts';
import { RECORDS_APPLET } from './records/records-applet.ts';

/** The applets of this room, by module; one copy for all cards. */
export const STANDARD_APPLETS: ReadonlyMap<Aid, AppletProgram> = new Map(
  [BOOTSTRAP_APPLET, IOT_SAFE_APPLET, RECORDS_APPLET].map((program) => [program.module, program]),
);
