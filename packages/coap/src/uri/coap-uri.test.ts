import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatCoapUri, parseCoapUri } from './coap-uri.ts';

test('takes the examples of RFC 7252 §6.3 and §6.4 apart', () => {
  const sensor = {
    scheme: 'coap',
    host: 'example.com',
    port: 5683,
    path: ['~sensors', 'temp.xml'],
    query: [],
  };
  assert.deepEqual(parseCoapUri('coap://example.com:5683/~sensors/temp.xml'), sensor);
  assert.deepEqual(parseCoapUri('coap://EXAMPLE.com/%7Esensors/temp.xml'), sensor);
  assert.deepEqual(parseCoapUri('coap://EXAMPLE.com:/%7esensors/temp.xml'), sensor);
  assert.deepEqual(parseCoapUri('coap://198.51.100.1:61616//%2F//?%2F%2F&?%26'), {
    scheme: 'coap',
    host: '198.51.100.1',
    port: 61_616,
    path: ['', '/', '', ''],
    query: ['//', '?&'],
  });
});

test('knows the ports of the four schemes', () => {
  const ports = ['coap', 'coaps', 'coap+tcp', 'coaps+tcp'].map(
    (scheme) => parseCoapUri(`${scheme}://[::1]`).port,
  );
  assert.deepEqual(ports, [5683, 5684, 5683, 5684]);
  assert.equal(parseCoapUri('coaps+tcp://[2001:db8::1]/').host, '2001:db8::1');
});

for (const bad of [
  '',
  'coap:',
  'http://a/',
  'coap://',
  'coap://a/#f',
  'coap://a:99999/',
  'coap://a/%zz',
  '//a/b',
  'coap://u@h/',
]) {
  test(`refuses ${JSON.stringify(bad)}`, () => {
    assert.throws(() => parseCoapUri(bad), { code: 'COAP_ARGUMENT_INVALID' });
  });
}

test('what it puts together it takes apart to the same', () => {
  const segment = fc.string({ maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(segment, { maxLength: 4 }),
      fc.array(segment, { maxLength: 3 }),
      fc.constantFrom('coap', 'coaps', 'coap+tcp', 'coaps+tcp'),
      fc.integer({ min: 1, max: 65_535 }),
      (path, query, scheme, port) => {
        // One empty segment is the root, which has no option at all (RFC 7252 §6.4 step 8).
        fc.pre(!(path.length === 1 && path[0] === ''));
        const uri = { scheme, host: '192.0.2.1', port, path, query } as const;
        assert.deepEqual(parseCoapUri(formatCoapUri(uri)), uri);
      },
    ),
  );
});
