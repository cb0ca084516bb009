import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lwm2mPath } from '@sefleet/lwm2m';
import { SimRuntime } from '@sefleet/runtime/sim';
import type { AuditRecord } from '../audit-record.ts';
import { parseAccessRules } from './access-rule.ts';
import { DEFAULT_RULES, Gatekeeper } from './gatekeeper.ts';
import { selectionOf } from './selected-applications.ts';

const RULES = JSON.stringify({
  callers: {
    'northern-power': {
      operations: ['read', 'apdu'],
      kinds: ['smart-meter'],
      endpoints: ['urn:dev:sefleet:meter-*'],
      objects: [3, 10243],
      securityDomains: ['a000000151000000'],
    },
    operator: {},
  },
});

function createGatekeeper(rules = parseAccessRules(RULES)) {
  const audit: AuditRecord[] = [];
  const store = {
    saveAudit: (record: AuditRecord) => void audit.push(record),
    listAudit: () => Promise.resolve(audit),
  };
  const { clock } = new SimRuntime(1);
  return { audit, gatekeeper: new Gatekeeper({ rules, store, clock, refused: () => {} }) };
}

const METER = { endpoint: 'urn:dev:sefleet:meter-1', kind: 'smart-meter' };
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);

test('keeps little of a refusal, whatever it names', () => {
  const { audit, gatekeeper } = createGatekeeper();
  const device = { endpoint: 'x'.repeat(1_000_000), kind: '' };
  const paths = Array.from({ length: 10_000 }, () => path('/3/0/0'));
  const request = { caller: 'stranger', operation: 'read', device, paths } as const;
  assert.throws(() => gatekeeper.require(request), { code: 'LWM2M_ACCESS_FORBIDDEN' });
  assert.ok(JSON.stringify(audit).length < 1000);
});

test('lets a stakeholder do what its rule grants, and records every refusal', () => {
  const { audit, gatekeeper } = createGatekeeper();
  const caller = 'northern-power';
  gatekeeper.require({ caller, operation: 'read', device: METER, paths: [path('/3/0/0')] });
  const refused = [
    { caller, operation: 'write', device: METER },
    { caller, operation: 'read', device: { ...METER, kind: 'obu' } },
    { caller, operation: 'read', device: { ...METER, endpoint: 'urn:dev:sefleet:obu-1' } },
    { caller, operation: 'read', device: METER, paths: [path('/3/0/0'), path('/0/0/5')] },
    { caller, operation: 'read', device: METER, paths: [Lwm2mPath.ROOT] },
    { caller: 'stranger', operation: 'read', device: METER },
  ] as const;
  for (const request of refused) {
    assert.throws(() => gatekeeper.require(request), { code: 'LWM2M_ACCESS_FORBIDDEN' });
  }
  assert.deepEqual(
    audit.map(({ reason }) => reason),
    [
      'operation not granted',
      'kind of device not granted',
      'device not granted',
      'object not granted',
      'object not granted',
      'unknown caller',
    ],
  );
  gatekeeper.require({ caller: 'operator', operation: 'delete', device: METER, paths: [path('/0')] });
});

test('trusts our own services and nobody else without a file', () => {
  const { gatekeeper } = createGatekeeper(DEFAULT_RULES);
  gatekeeper.require({ caller: 'provisioning', operation: 'apdu', device: METER });
  const device = { caller: METER.endpoint, operation: 'read', device: METER } as const;
  assert.throws(() => gatekeeper.require(device), { code: 'LWM2M_ACCESS_FORBIDDEN' });
});

test('names the place of a mistake in the file', () => {
  const mistakes: readonly [string, RegExp][] = [
    ['{', /not JSON/],
    ['[]', /the file is not an object/],
    ['{"callers":{"a":{"operations":["fly"]}}}', /callers\.a\.operations has an item/],
    ['{"callers":{"a":{"objects":[70000]}}}', /callers\.a\.objects has an item/],
    ['{"callers":{"a":{"endpoints":"x"}}}', /callers\.a\.endpoints is not a list/],
    ['{"callers":{"a":{"endpoint":["x"]}}}', /callers\.a\.endpoint is not known/],
  ];
  for (const [text, message] of mistakes) {
    assert.throws(() => parseAccessRules(text), { code: 'LWM2M_ACCESS_FILE_INVALID', message });
  }
});

test('reads where a command goes', () => {
  const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
  const aid = 'A000000151000000';
  assert.deepEqual(selectionOf(hex(`00A4040008${aid}00`)), { kind: 'select', aid });
  assert.equal(selectionOf(hex('8050300008000102030405060700')), undefined);
  const unclear = [
    '00A4040C00',
    '00A4000002 3F00',
    '01A4040008A000000151000000',
    '0070000001',
    '00A40400FF00',
    `41A4040008${aid}`,
  ];
  for (const text of unclear) {
    assert.deepEqual(selectionOf(hex(text.replaceAll(' ', ''))), { kind: 'other' }, text);
  }
});
