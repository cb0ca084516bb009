import { aid } from '@sefleet/globalplatform';

/** The load file of the records applet; its RID is the one for unregistered, experimental use (F0 leads). */
export const RECORDS_LOAD_FILE = aid('F07365666C65657401');
/** The module of the records applet. */
export const RECORDS_MODULE = aid('F07365666C6565740101');
