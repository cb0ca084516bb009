import { runService } from '@sefleet/service';
import { PROVISIONING_SERVICE } from './provisioning-service.ts';

await runService(PROVISIONING_SERVICE);
