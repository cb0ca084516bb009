import { aid } from '@sefleet/globalplatform';

/**
 * The load file of the vehicle diagnostics applet; its RID is the one for unregistered, experimental use (F0
 * leads).
 */
export const VEHICLE_LOAD_FILE = aid('F07365666C65657404');
/** The module of the vehicle diagnostics applet. */
export const VEHICLE_MODULE = aid('F07365666C6565740401');
