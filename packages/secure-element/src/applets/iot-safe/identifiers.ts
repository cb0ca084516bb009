import { aid } from '@sefleet/globalplatform';

/** The load file of the IoT SAFE applet. */
export const IOT_SAFE_LOAD_FILE = aid('A00000055900FF01');
/** The module of the IoT SAFE applet. */
export const IOT_SAFE_MODULE = aid('A00000055900FF0101');
/** The instance AID that IoT SAFE clients select by default (GSMA IoT.05 §2). */
export const IOT_SAFE_INSTANCE = aid('A0000005590010');
