import { doesNotThrow, equal, throws } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createEventLog } from '@sefleet/observability';
import { requirePermission, type Permission } from './authorisation.ts';

const log = createEventLog({ service: 'test', level: 'silent' });

describe('authorisation', () => {
  for (const [permission, allowed] of [
    ['read-transport-keys', 'lwm2m-server'],
    ['read-record-keys', 'analytics'],
    ['order-cards', 'device-sim'],
    ['rotate-keys', 'cli'],
    ['switch-suppliers', 'cli'],
  ] as const satisfies readonly (readonly [Permission, string])[]) {
    it(`lets ${allowed} ${permission} and a stranger not`, () => {
      doesNotThrow(() => requirePermission(allowed, permission, log));
      for (const caller of ['', 'mallory', 'urn:dev:sefleet:meter-000001']) {
        throws(() => requirePermission(caller, permission, log), { code: 'PROVISIONING_FORBIDDEN' });
      }
    });
  }

  it('counts every refusal', () => {
    const before = log.counters().get('authorisation.refused') ?? 0;
    throws(() => requirePermission('analytics', 'read-transport-keys', log));
    equal(log.counters().get('authorisation.refused'), before + 1);
  });
});
