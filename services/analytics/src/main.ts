import { runService } from '@sefleet/service';
import { ANALYTICS_SETTINGS } from './settings.ts';
import { startAnalytics } from './start-analytics.ts';

await runService({ name: 'analytics', settings: ANALYTICS_SETTINGS, start: startAnalytics });
