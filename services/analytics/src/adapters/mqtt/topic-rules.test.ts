import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecordTopic, mayPublish, maySubscribe } from './topic-rules.ts';

const device = { role: 'device', endpoint: 'urn:dev:a' } as const;
const service = { role: 'service', name: 'lwm2m-server' } as const;

test('lets a device publish its own records and nothing else', () => {
  assert.equal(mayPublish(device, 'sefleet/v1/obu/urn:dev:a/records'), true);
  for (const topic of [
    'sefleet/v1/obu/urn:dev:b/records',
    'sefleet/v1/obu/urn:dev:a/records/x',
    'sefleet/v1/obu/urn:dev:a/commands',
    'sefleet/v1/obu/%75rn:dev:a/records',
    '$SYS/x',
    '',
  ]) {
    assert.equal(mayPublish(device, topic), false, topic);
  }
});

test('lets a service publish anywhere but on the broker’s own topics', () => {
  assert.equal(mayPublish(service, 'sefleet/v1/obu/urn:dev:b/records'), true);
  assert.equal(mayPublish(service, '$SYS/x'), false);
});

test('lets a device listen to its own topics only, without wildcards', () => {
  assert.equal(maySubscribe(device, 'sefleet/v1/obu/urn:dev:a/commands'), true);
  for (const filter of [
    'sefleet/v1/obu/urn:dev:a/records',
    'sefleet/v1/obu/urn:dev:b/commands',
    'sefleet/v1/obu/urn:dev:a/+',
    'sefleet/v1/obu/urn:dev:a/#',
    '#',
    '$SYS/#',
  ]) {
    assert.equal(maySubscribe(device, filter), false, filter);
  }
  assert.equal(maySubscribe(service, 'sefleet/v1/+/+/records'), true);
});

test('knows the topics of records', () => {
  assert.equal(isRecordTopic('sefleet/v1/smart-meter/urn:dev:a/records'), true);
  assert.equal(isRecordTopic('sefleet/v1/smart-meter/urn:dev:a/state'), false);
});
