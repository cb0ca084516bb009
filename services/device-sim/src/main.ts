import { setFlagsFromString } from 'node:v8';
import { runService } from '@sefleet/service';
import { startDeviceSim } from './device-sim-service.ts';
import { DEVICE_SIM_SETTINGS } from './settings.ts';

// A young generation that may grow without bound would hold more than the devices do; this costs little time.
setFlagsFromString('--max-semi-space-size=4');

await runService({ name: 'device-sim', settings: DEVICE_SIM_SETTINGS, start: startDeviceSim });
