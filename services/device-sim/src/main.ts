import { runService } from '@sefleet/service';
import { startDeviceSim } from './device-sim-service.ts';
import { DEVICE_SIM_SETTINGS } from './settings.ts';

await runService({ name: 'device-sim', settings: DEVICE_SIM_SETTINGS, start: startDeviceSim });
