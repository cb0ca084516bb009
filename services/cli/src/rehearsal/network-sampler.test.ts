import { deepEqual, equal } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NetworkSampler } from './network-sampler.ts';
import { loggedFailures } from './service-logs.ts';

function counters(registrations: number, sent: number, retransmitted = 0): ReadonlyMap<string, number> {
  return new Map([
    ['registration.accepted', registrations],
    ['dtls.handshakes.completed', registrations],
    ['dtls.failed.unknownIdentity', 1],
    ['dtls.failed.timeout', 1],
    ['coap.messages.sent', sent],
    ['coap.messages.retransmitted', retransmitted],
  ]);
}

test('a light ground has no network, which is not the same as none of everything', async () => {
  const sampler = new NetworkSampler([]);
  sampler.start();
  equal(await sampler.stop(), undefined);
});

test('rates are those of all servers together, and a server that was killed counts from nothing again', async () => {
  const first = [counters(10, 100), counters(30, 300, 3), counters(5, 50)];
  const second = [counters(0, 0), undefined, counters(20, 100)];
  let at = 0;
  const sampler = new NetworkSampler([
    async () => first[at] ?? counters(5, 50),
    async () => {
      const found = second[at];
      if (found === undefined) throw new RangeError('it does not answer');
      return found;
    },
  ]);
  for (const nowMs of [1000, 2000, 4000]) {
    await sampler.tick(nowMs);
    at++;
  }
  const { samples, ...peak } = (await sampler.stop()) ?? { samples: [] };
  deepEqual(
    samples.slice(0, 3).map(({ registrationsPerSecond }) => registrationsPerSecond),
    // The first server added 10, 20 and, after its restart, 5 in two seconds; the second one 20 in three.
    [10, 20, Math.round(5 / 2 + 20 / 3)],
  );
  deepEqual(peak, {
    registrations: 55,
    registrationsPerSecondMax: 20,
    handshakes: 55,
    handshakesPerSecondMax: 20,
    handshakesFailed: 6,
    messagesSent: 450,
    retransmissions: 3,
    retransmissionsPercent: 0.67,
    retransmissionsPerSecondMax: 3,
    duplicates: 0,
    timedOut: 0,
  });
});

test('what a service logged as a warning or an error is counted', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'logs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const lines = ['info', 'warn', 'error', 'fatal'].map((level) => JSON.stringify({ level, event: 'error' }));
  writeFileSync(join(folder, 'supplier-a.log'), `${lines.join('\n')}\nplain words\n`);
  deepEqual(loggedFailures(folder, 'supplier:a'), { warnings: 1, errors: 2 });
  deepEqual(loggedFailures(folder, 'nobody'), { warnings: 0, errors: 0 });
});
