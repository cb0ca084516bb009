import { aid } from '@sefleet/globalplatform';

/**
 * The load file of the vital signs applet; its RID is the one for unregistered, experimental use (F0
 * leads).
 */
export const VITAL_SIGNS_LOAD_FILE = aid('F07365666C65657405');
/** The module of the vital signs applet. */
export const VITAL_SIGNS_MODULE = aid('F07365666C6565740501');
