import { SERVER_RESOURCE, type ObjectBehaviour } from '@sefleet/lwm2m';
import type { DeviceOwner } from './device-owner.ts';

/**
 * What the bootstrap server leaves open about retries is the device's choice. The enabler's own defaults
 * start with a minute's wait (Core §6.2.1.1), which suits a battery; these devices are on mains and have
 * somebody watching: 1, 2, 4 and 8 seconds, and that four times with 10 seconds between. Then they ask the
 * bootstrap server, in case their server has moved.
 */
const RETRY = [
  [SERVER_RESOURCE.RETRY_COUNT, 5],
  [SERVER_RESOURCE.RETRY_TIMER, 1],
  [SERVER_RESOURCE.SEQUENCE_DELAY, 10],
  [SERVER_RESOURCE.SEQUENCE_COUNT, 4],
] as const;

/** The Server object; its executes are the LwM2M client's own business. */
export const SERVER_BEHAVIOUR: ObjectBehaviour<DeviceOwner> = {
  created: (instance) => {
    for (const [resourceId, value] of RETRY) if (!instance.has(resourceId)) instance.set(resourceId, value);
  },
};
