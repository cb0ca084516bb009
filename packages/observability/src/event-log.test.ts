import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventLog, formatPrometheus } from './index.ts';

const ACCEPTED = { name: 'registration.accepted', level: 'info', message: 'registered' } as const;

test('writes one JSON line an event, counts it and masks secrets', () => {
  const lines: string[] = [];
  const log = createEventLog({ service: 'test', destination: { write: (line) => void lines.push(line) } });
  log
    .child({ endpoint: 'a' })
    .emit(ACCEPTED, { psk: 'S3cret', credential: { key: 'S3cret' }, lifetimeSeconds: 60 });
  log.count('datagrams', 2);
  const [line = ''] = lines;
  const parsed: unknown = JSON.parse(line);
  assert.partialDeepStrictEqual(parsed, {
    event: 'registration.accepted',
    endpoint: 'a',
    lifetimeSeconds: 60,
    level: 'info',
  });
  assert.doesNotMatch(line, /S3cret/);
  assert.deepEqual(
    [...log.counters()],
    [
      ['registration.accepted', 1],
      ['datagrams', 2],
    ],
  );
});

test('prints counters for Prometheus', () => {
  const text = formatPrometheus('x', new Map([['dtls.failed.unknownIdentity', 2]]));
  assert.match(text, /^sefleet_dtls_failed_unknown_identity_total\{service="x"\} 2$/m);
});
