import type { EventLog } from '@sefleet/observability';
import { provisioningError } from '../../errors.ts';
import { PROVISIONING_EVENTS } from '../../events.ts';

/** What a caller may be allowed to do, by the common name of its certificate. */
export type Permission =
  | 'order-cards'
  | 'add-software-devices'
  | 'read-transport-keys'
  | 'read-record-keys'
  | 'rotate-keys'
  | 'read-key-states'
  | 'switch-suppliers'
  | 'rehearse';

const PERMISSIONS: Readonly<Record<Permission, ReadonlySet<string>>> = {
  'order-cards': new Set(['device-sim', 'rehearsal-ground']),
  'add-software-devices': new Set(['cli', 'device-sim']),
  'read-transport-keys': new Set(['lwm2m-server']),
  'read-record-keys': new Set(['analytics']),
  'rotate-keys': new Set(['cli', 'analytics']),
  'switch-suppliers': new Set(['cli']),
  rehearse: new Set(['cli']),
  'read-key-states': new Set(['cli', 'analytics', 'lwm2m-server', 'device-sim']),
};

/** Refuses callers whose certificate does not allow `permission`, and leaves a trace of it. */
export function requirePermission(caller: string, permission: Permission, log: EventLog): void {
  if (PERMISSIONS[permission].has(caller)) return;
  log.emit(PROVISIONING_EVENTS.callRefused, { caller, permission });
  throw provisioningError(
    'PROVISIONING_FORBIDDEN',
    `${caller || 'a nameless caller'} may not ${permission}`,
    {
      context: { caller, permission },
    },
  );
}
