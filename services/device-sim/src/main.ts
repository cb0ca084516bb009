import { setFlagsFromString } from 'node:v8';
import { runService } from '@sefleet/service';
import { startDeviceSim } from './device-sim-service.ts';
import { DEVICE_SIM_SETTINGS } from './settings.ts';

// The heap may grow by a quarter between collections, not by the factor of a server with memory to spare.
setFlagsFromString('--heap-growing-percent=25');

await runService({ name: 'device-sim', settings: DEVICE_SIM_SETTINGS, start: startDeviceSim });
