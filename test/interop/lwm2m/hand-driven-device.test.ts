import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import type { KnownDevice } from '../../../services/lwm2m-server/src/testing/server-bench.ts';
import { ServerBench } from '../../../services/lwm2m-server/src/testing/server-bench.ts';
import { RunningProgram, skipWithout } from '../dtls/programs.ts';

/** Programs of libcoap, driven by hand as a device would be, against the LwM2M server on its real sockets. */
const CLIENTS = ['coap-client-openssl', 'coap-client-gnutls'] as const;

let bench: ServerBench;
let meter: KnownDevice;

before(async () => {
  bench = await ServerBench.start();
  meter = bench.addDevice('hand-meter');
});
after(() => bench.stop());

function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { timeout: 15_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

interface CoapCall {
  readonly program: string;
  readonly method: string;
  readonly uri: string;
  readonly options?: readonly string[];
  readonly identity?: string;
  readonly key?: Uint8Array;
}

function coap({ program, method, uri, options = [], identity = meter.identity, key = meter.psk }: CoapCall) {
  const url = `coaps://127.0.0.1:${bench.lwm2mPort}${uri}`;
  const secret = Buffer.from(key).toString('latin1');
  return run(program, ['-v', '7', '-B', '5', '-m', method, '-u', identity, '-k', secret, ...options, url]);
}

for (const program of CLIENTS) {
  describe(`${program} as a device`, { skip: skipWithout(program) }, () => {
    test('discovers /.well-known/core', async () => {
      const output = await coap({ program, method: 'get', uri: '/.well-known/core' });
      assert.match(output, /<\/rd>;rt="core\.rd"/);
    });

    test('registers at /rd, updates and de-registers', async () => {
      const { endpoint } = meter;
      const query = `ep=${endpoint}&lt=300&lwm2m=1.1&b=U`;
      const links = ['-t', '40', '-e', '</>;rt="oma.lwm2m";ct=112,</3/0>,</5/0>'];
      const registered = await coap({ program, method: 'post', uri: `/rd?${query}`, options: links });
      assert.match(registered, /2\.01/);
      const { registration } = await bench.client.getRegistration({ endpoint });
      assert.deepEqual(registration?.objects, ['/3/0', '/5/0']);
      const location = `/rd/${registration?.registrationId ?? ''}`;
      assert.match(registered, new RegExp(`Location-Path:${registration?.registrationId ?? '?'}`));
      assert.match(await coap({ program, method: 'post', uri: `${location}?lt=600` }), /2\.04/);
      const updated = await bench.client.getRegistration({ endpoint });
      assert.equal(updated.registration?.lifetimeSeconds, 600);
      assert.match(await coap({ program, method: 'delete', uri: location }), /2\.02/);
      await assert.rejects(bench.client.getRegistration({ endpoint }), { code: 'LWM2M_DEVICE_NOT_FOUND' });
    });

    test('is refused with another endpoint name than its own', async () => {
      const options = ['-t', '40', '-e', '</3/0>'];
      const uri = '/rd?ep=urn:dev:sefleet:somebody-else&lwm2m=1.1';
      assert.match(await coap({ program, method: 'post', uri, options }), /4\.03/);
    });

    test('is not let in with a wrong key or an unknown identity', async () => {
      const failed = await failures();
      const uri = '/.well-known/core';
      assert.doesNotMatch(await coap({ program, method: 'get', uri, key: Buffer.from('wrong') }), /<\/rd>/);
      assert.doesNotMatch(await coap({ program, method: 'get', uri, identity: 'nobody' }), /<\/rd>/);
      assert.ok((await failures()) >= failed + 2);
    });
  });
}

async function failures(): Promise<number> {
  const { counters } = await bench.client.getStatistics({});
  return Number(counters.find(({ name }) => name === 'dtls.failed')?.value ?? 0n);
}

test('openssl s_client completes a handshake', { skip: skipWithout('openssl', 'stdbuf') }, async (t) => {
  const key = Buffer.from(meter.psk).toString('hex');
  const suite = 'PSK-AES128-CCM8:@SECLEVEL=0';
  const target = `127.0.0.1:${bench.lwm2mPort}`;
  const args = ['s_client', '-dtls1_2', '-connect', target, '-cipher', suite];
  const program = new RunningProgram('openssl', [...args, '-psk_identity', meter.identity, '-psk', key]);
  t.after(() => program.end());
  await program.printed(/Cipher\s+: PSK-AES128-CCM8/);
});

test('gnutls-cli completes a handshake', { skip: skipWithout('gnutls-cli', 'stdbuf') }, async (t) => {
  const key = Buffer.from(meter.psk).toString('hex');
  const priority = 'NORMAL:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CCM-8:-VERS-ALL:+VERS-DTLS1.2';
  const credential = ['--pskusername', meter.identity, '--pskkey', key, '--priority', priority];
  const target = ['--udp', '--port', String(bench.lwm2mPort), '127.0.0.1'];
  const program = new RunningProgram('gnutls-cli', [...target, ...credential]);
  t.after(() => program.end());
  await program.printed(/Handshake was completed/);
});
