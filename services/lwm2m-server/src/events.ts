import type { EventDefinition } from '@sefleet/observability';

/** What this service tells its log, once per kind of happening. What happens per message is only counted. */
export const EVENTS = {
  registered: { name: 'registration.accepted', level: 'debug', message: 'a device registered' },
  deregistered: { name: 'registration.ended', level: 'debug', message: 'a device de-registered' },
  expired: { name: 'registration.expired', level: 'info', message: 'a registration expired' },
  refused: { name: 'registration.refused', level: 'warn', message: 'a registration request was refused' },
  sendRefused: { name: 'send.refused', level: 'warn', message: 'a Send was refused' },
  notificationRefused: {
    name: 'notification.refused',
    level: 'warn',
    message: 'a notification does not decode',
  },
  bootstrapped: { name: 'bootstrap.finished', level: 'debug', message: 'a device was bootstrapped' },
  bootstrapFailed: { name: 'bootstrap.failed', level: 'warn', message: 'a bootstrap failed' },
  bootstrapRefused: { name: 'bootstrap.refused', level: 'warn', message: 'a bootstrap request was refused' },
  handshakeFailed: { name: 'dtls.failed', level: 'debug', message: 'a DTLS handshake failed' },
  handlerFailed: {
    name: 'coap.handlerFailed',
    level: 'error',
    message: 'a request failed by a fault of ours',
  },
  revocationsFailed: {
    name: 'revocations.failed',
    level: 'warn',
    message: 'there is no new revocation list: the last one counts',
  },
  credentialsFailed: {
    name: 'credentials.lookupFailed',
    level: 'warn',
    message: 'provisioning did not answer for credentials',
  },
  brokerConnected: { name: 'mqtt.connected', level: 'info', message: 'connected to the broker' },
  brokerLost: { name: 'mqtt.lost', level: 'warn', message: 'the broker is gone; Sends are answered 5.03' },
  storeFailed: { name: 'store.failed', level: 'error', message: 'the registration store cannot write' },
  accessRefused: { name: 'access.refused', level: 'warn', message: 'a caller was refused' },
  restored: {
    name: 'store.restored',
    level: 'info',
    message: 'registrations of the last run are back',
  },
} as const satisfies Readonly<Record<string, EventDefinition>>;
