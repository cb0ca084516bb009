import { aid } from '@sefleet/globalplatform';

/** The load file of the IoT SAFE applet. */
export const IOT_SAFE_LOAD_FILE = aid('A00000055900FF01');
/** The module of the IoT SAFE applet. */
export const IOT_SAFE_MODULE = aid('A00000055900FF0101');
/** The instance AID that IoT SAFE clients select by default (GSMA IoT.05 §2). */
export const IOT_SAFE_INSTANCE = aid('A0000005590010');
/**
 * The container with the public key of whoever signs a device's firmware. The card factory fills it, the
 * device checks packages by it.
 */
export const FIRMWARE_AUTHORITY_KEY: Uint8Array = Uint8Array.of(0x04);
