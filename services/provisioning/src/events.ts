import type { EventDefinition } from '@sefleet/observability';

/** What this service tells its log, once per kind of happening. */
export const PROVISIONING_EVENTS = {
  cardsMade: { name: 'cards.made', level: 'info', message: 'cards were made' },
  masterKeyMade: { name: 'custody.masterKeyMade', level: 'info', message: 'a party has a new master key' },
  masterKeyReleased: {
    name: 'custody.masterKeyReleased',
    level: 'info',
    message: 'record keys were handed to whoever works for their stakeholder',
  },
  databaseFailed: {
    name: 'store.connectionLost',
    level: 'warn',
    message: 'the database closed a connection',
  },
  keyRenewed: { name: 'keys.renewed', level: 'info', message: 'keys are renewed before they expire' },
  keyStateChanged: { name: 'keys.stateChanged', level: 'info', message: 'a key moved along its life' },
  renewalFailed: { name: 'keys.renewalFailed', level: 'warn', message: 'keys could not be renewed now' },
  certificateRevoked: {
    name: 'certificates.revoked',
    level: 'warn',
    message: 'certificates do not count any more',
  },
  cardListBrought: {
    name: 'cards.listBrought',
    level: 'info',
    message: 'cards know which providers are allowed',
  },
  cardListFailed: {
    name: 'cards.listFailed',
    level: 'error',
    message: 'a list for cards failed by a fault of ours',
  },
  callRefused: { name: 'authorisation.refused', level: 'warn', message: 'a caller was refused' },
  rotationStarted: { name: 'rotation.started', level: 'info', message: 'a rotation started' },
  rotationResumed: { name: 'rotation.resumed', level: 'warn', message: 'a rotation goes on after a restart' },
  rotationDone: { name: 'rotation.done', level: 'info', message: 'a rotation is done' },
  rotationFailed: {
    name: 'rotation.deviceFailed',
    level: 'warn',
    message: 'the keys of a device were not rotated',
  },
  rotationStoreFailed: {
    name: 'rotation.storeFailed',
    level: 'error',
    message: 'rotations wait for the store, which failed',
  },
  switchStarted: { name: 'switch.started', level: 'info', message: 'a supplier switch started' },
  switchResumed: {
    name: 'switch.resumed',
    level: 'warn',
    message: 'a supplier switch goes on after a restart',
  },
  switchControlled: {
    name: 'switch.controlled',
    level: 'info',
    message: 'somebody pauses, resumes or cancels a switch, or objects to it for some meters',
  },
  switchStopped: { name: 'switch.stopped', level: 'warn', message: 'a supplier switch stopped by itself' },
  switchStepFailed: { name: 'switch.stepFailed', level: 'debug', message: 'a step of a switch failed' },
  switchCrashed: {
    name: 'switch.crashed',
    level: 'error',
    message: 'the switch of a meter ended by a fault of ours',
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;
