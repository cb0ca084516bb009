import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ImpairedPath, IMPAIRMENTS } from '../dtls/impaired-path.ts';
import { skipWithout } from '../dtls/programs.ts';
import { makeCertificate } from './certificate.ts';
import { LARGE, startOurServer, startOurStreamServer } from './our-side.ts';

const run = promisify(execFile);
/** All three builds speak plain CoAP; the two with TLS speak it over TCP as well. */
const BUILDS = ['coap-client-notls', 'coap-client-openssl', 'coap-client-gnutls'];

function withoutTls(program: string): string | false {
  return program.endsWith('-notls') ? 'this build has neither TCP nor TLS' : skipWithout('openssl');
}

async function client(program: string, ...args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(program, ['-B', '20', ...args], { timeout: 30_000 });
  return stdout + stderr;
}

for (const program of BUILDS) {
  describe(`libcoap's ${program} with our server`, { concurrency: 4, skip: skipWithout(program) }, () => {
    test('gets, is told of what is not there, and gets a separate response', async (t) => {
      const { port } = await startOurServer(t);
      const uri = `coap://127.0.0.1:${port}`;
      assert.match(await client(program, `${uri}/hello`), /hello from sefleet/);
      assert.match(await client(program, '-N', `${uri}/hello`), /hello from sefleet/);
      assert.match(await client(program, `${uri}/nowhere`), /4\.04/);
      assert.match(await client(program, '-m', 'post', `${uri}/hello`), /4\.05/);
      assert.match(await client(program, `${uri}/slow`), /slow but sure/);
    });

    test('discovers the resources and filters them', async (t) => {
      const { port } = await startOurServer(t);
      const all = await client(program, `coap://127.0.0.1:${port}/.well-known/core`);
      assert.match(all, /<\/hello>/);
      const filtered = await client(program, `coap://127.0.0.1:${port}/.well-known/core?rt=example`);
      assert.match(filtered, /<\/ticks>;rt=example;obs/);
      assert.doesNotMatch(filtered, /hello/);
    });

    for (const impairment of IMPAIRMENTS.filter(({ mtu }) => mtu === undefined)) {
      test(`carries bodies in blocks both ways, ${impairment.name}`, async (t) => {
        const { port } = await startOurServer(t);
        const path = await ImpairedPath.open(port, impairment, { seed: 5 });
        t.after(() => path.close());
        const uri = `coap://127.0.0.1:${path.port}`;
        assert.equal((await client(program, '-b', '1024', `${uri}/large`)).trim(), LARGE);
        const file = join(mkdtempSync(join(tmpdir(), 'sefleet-coap-')), 'body');
        writeFileSync(file, LARGE);
        await client(program, '-m', 'put', '-b', '512', '-f', file, `${uri}/store`);
        assert.equal((await client(program, `${uri}/store`)).trim(), LARGE);
        assert.match(await client(program, '-m', 'fetch', '-e', 'chosen', `${uri}/select`), /chosen/);
      });
    }

    test('observes and deregisters', async (t) => {
      const { port, endpoint } = await startOurServer(t);
      const seen = await client(program, '-s', '2', '-w', `coap://127.0.0.1:${port}/ticks`);
      const ticks = new Set(seen.match(/tick \d+/g));
      assert.ok(ticks.size >= 5, seen);
      assert.equal(endpoint.open()['serverObservations'], 0);
    });

    test(
      'speaks CoAP over TCP',
      { skip: program.endsWith('-notls') && 'this build has no TCP' },
      async (t) => {
        const port = await startOurStreamServer(t);
        const uri = `coap+tcp://127.0.0.1:${port}`;
        assert.match(await client(program, `${uri}/hello`), /hello from sefleet/);
        assert.match(await client(program, `${uri}/slow`), /slow but sure/);
        assert.equal((await client(program, `${uri}/large`)).trim(), LARGE);
        const seen = await client(program, '-s', '1', '-w', `${uri}/ticks`);
        assert.ok(new Set(seen.match(/tick \d+/g)).size >= 3, seen);
      },
    );

    test('speaks CoAP over TLS', { skip: withoutTls(program) }, async (t) => {
      const { certificate, certificateFile, privateKey } = makeCertificate();
      const port = await startOurStreamServer(t, { certificate, privateKey, protocols: ['coap'] });
      const uri = `coaps+tcp://127.0.0.1:${port}`;
      assert.match(await client(program, '-n', '-C', certificateFile, `${uri}/hello`), /hello from sefleet/);
      assert.equal((await client(program, '-n', '-C', certificateFile, `${uri}/large`)).trim(), LARGE);
    });
  });
}
