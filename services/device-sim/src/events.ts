import type { EventDefinition } from '@sefleet/observability';

/** What the simulator reports. Nothing here happens once per device while a fleet is well. */
export const EVENTS = {
  fleetStarted: { name: 'fleet.started', level: 'info', message: 'a fleet is switched on' },
  fleetResumed: { name: 'fleet.resumed', level: 'info', message: 'the fleet goes on from disk' },
  fleetRegistered: {
    name: 'fleet.registered',
    level: 'info',
    message: 'every device of the fleet is registered',
  },
  fleetDrained: { name: 'fleet.drained', level: 'info', message: 'every reading is acknowledged' },
  fleetStopped: { name: 'fleet.stopped', level: 'info', message: 'the fleet is switched off' },
  cardsUnavailable: {
    name: 'fleet.cardsUnavailable',
    level: 'warn',
    message: 'provisioning does not deliver cards; asking again',
  },
  racsSessionEnded: {
    name: 'racs.sessionEnded',
    level: 'info',
    message: 'a RACS session is over; its cards are powered off',
  },
  racsClientRefused: {
    name: 'racs.clientRefused',
    level: 'warn',
    message: 'a certificate of a device bears the name of a service',
  },
  deviceUnusable: { name: 'device.unusable', level: 'error', message: 'a device cannot be switched on' },
  deviceHandlerFailed: {
    name: 'device.handlerFailed',
    level: 'error',
    message: "a device's object failed by its own fault",
  },
  deviceFailed: {
    name: 'device.failed',
    level: 'warn',
    message: 'a device could not register; it tries again',
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;
