import type { Aid } from '@sefleet/globalplatform';
import type { AppletProgram } from './applet.ts';
import { BOOTSTRAP_APPLET } from './bootstrap/bootstrap-applet.ts';
import { IOT_SAFE_APPLET } from './iot-safe/iot-safe-applet.ts';
import { METERING_APPLET } from './metering/metering-applet.ts';
import { VEHICLE_APPLET } from './vehicle/vehicle-applet.ts';
import { VITAL_SIGNS_APPLET } from './vital-signs/vital-signs-applet.ts';

/** The applets of this room, by module; one copy for all cards. */
export const STANDARD_APPLETS: ReadonlyMap<Aid, AppletProgram> = new Map(
  [BOOTSTRAP_APPLET, IOT_SAFE_APPLET, METERING_APPLET, VEHICLE_APPLET, VITAL_SIGNS_APPLET].map((program) => [
    program.module,
    program,
  ]),
);
