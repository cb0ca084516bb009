import { aid } from '@sefleet/globalplatform';

/**
 * The load file of the metering applet; its RID is the one for unregistered, experimental use (F0
 * leads).
 */
export const METERING_LOAD_FILE = aid('F07365666C65657401');
/** The module of the metering applet. */
export const METERING_MODULE = aid('F07365666C6565740101');
