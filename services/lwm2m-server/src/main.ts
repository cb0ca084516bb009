import { runService } from '@sefleet/service';
import { LWM2M_SERVER_SERVICE } from './lwm2m-server-service.ts';

await runService(LWM2M_SERVER_SERVICE);
