import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ImpairedPath } from '../dtls/impaired-path.ts';
import { PcapWriter } from '../dtls/pcap-writer.ts';
import { skipWithout } from '../dtls/programs.ts';
import { LARGE, startOurClient, startOurServer } from './our-side.ts';

test('tshark dissects our traffic without a malformed packet', { skip: skipWithout('tshark') }, async (t) => {
  const { port } = await startOurServer(t);
  const pcap = new PcapWriter();
  const path = await ImpairedPath.open(port, { name: 'captured' }, { pcap });
  t.after(() => path.close());
  const { endpoint, peer } = await startOurClient(t, path.port);
  // No-Response is left out: tshark 4.0 has no name for option 258 and calls it malformed.
  await endpoint.ping(peer);
  await endpoint.request(peer, { method: 'GET', path: '/hello', accept: 0, query: ['a=b', 'c'] });
  await endpoint.request(peer, { method: 'GET', path: '/slow', host: 'meter.example' });
  await endpoint.request(peer, {
    method: 'PUT',
    path: '/store',
    payload: LARGE,
    blockSize: 64,
    contentFormat: 0,
  });
  await endpoint.request(peer, { method: 'GET', path: '/store' });
  await endpoint.request(peer, { method: 'FETCH', path: '/select', payload: 'y'.repeat(1000) });
  const { promise, resolve } = Promise.withResolvers<void>();
  const observation = await endpoint.observe(peer, { method: 'GET', path: '/ticks' }, () => resolve());
  await promise;
  await observation.cancel();

  const file = join(mkdtempSync(join(tmpdir(), 'sefleet-coap-')), 'capture.pcap');
  pcap.write(file);
  const tshark = (...args: string[]): string =>
    execFileSync('tshark', ['-r', file, '-d', `udp.port==${port},coap`, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  const packets = tshark('-T', 'fields', '-e', 'frame.number').trim().split('\n').length;
  const dissected = tshark('-Y', 'coap', '-T', 'fields', '-e', 'frame.number').trim().split('\n').length;
  assert.equal(dissected, packets);
  assert.ok(packets > 100, `${packets} packets`);
  assert.equal(tshark('-Y', '_ws.malformed || _ws.expert.severity == error').trim(), '');
  const details = tshark('-V');
  for (const option of ['Observe', 'Block1', 'Block2', 'Uri-Query', 'Accept', 'Etag', 'Uri-Host']) {
    assert.match(details, new RegExp(option, 'i'), option);
  }
});
