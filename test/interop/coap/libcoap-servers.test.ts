import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CODE, createCoapStreamEndpoint, formatCode, parseLinkFormat } from '@sefleet/coap';
import type { StreamConnection } from '@sefleet/runtime';
import { connectStream, createNodeRuntime, type StreamTls } from '@sefleet/runtime/node';
import { ImpairedPath, IMPAIRMENTS } from '../dtls/impaired-path.ts';
import { freePort, RunningProgram, skipWithout } from '../dtls/programs.ts';
import { makeCertificate } from './certificate.ts';
import { LARGE, startOurClient } from './our-side.ts';

const BUILDS = ['coap-server-notls', 'coap-server-openssl', 'coap-server-gnutls'];

for (const program of BUILDS) {
  describe(
    `our client with libcoap's ${program}`,
    { concurrency: 4, skip: skipWithout(program, 'stdbuf') },
    () => {
      for (const impairment of IMPAIRMENTS.filter(({ mtu }) => mtu === undefined)) {
        test(`gets, puts in blocks, discovers and observes, ${impairment.name}`, async (t) => {
          const serverPort = await freePort();
          const server = new RunningProgram(program, [
            '-A',
            '127.0.0.1',
            '-p',
            String(serverPort),
            '-d',
            '10',
          ]);
          t.after(() => server.end());
          const path = await ImpairedPath.open(serverPort, impairment, { seed: 9 });
          t.after(() => path.close());
          const { endpoint, peer } = await startOurClient(t, path.port);
          await endpoint.ping(peer);
          const core = await endpoint.request(peer, { method: 'GET', path: '/.well-known/core' });
          assert.ok(parseLinkFormat(core.text()).some(({ target }) => target === '/time'));
          const created = await endpoint.request(peer, {
            method: 'PUT',
            path: '/body',
            payload: LARGE,
            blockSize: 64,
          });
          assert.equal(formatCode(created.code), '2.01');
          const fetched = await endpoint.request(peer, { method: 'GET', path: '/body', blockSize: 128 });
          assert.equal(fetched.text(), LARGE);
          const separate = await endpoint.request(peer, { method: 'GET', path: '/async', query: ['1'] });
          assert.equal(separate.code, CODE.CONTENT);
          const gone = await endpoint.request(peer, { method: 'DELETE', path: '/body' });
          assert.equal(gone.code, CODE.DELETED);
          assert.equal((await endpoint.request(peer, { method: 'GET', path: '/body' })).code, CODE.NOT_FOUND);
        });
      }

      test('observes the time and cancels', async (t) => {
        const port = await freePort();
        const server = new RunningProgram(program, ['-A', '127.0.0.1', '-p', String(port)]);
        t.after(() => server.end());
        const { endpoint, peer } = await startOurClient(t, port);
        const seen: string[] = [];
        const { promise, resolve } = Promise.withResolvers<void>();
        const observation = await endpoint.observe(peer, { method: 'GET', path: '/time' }, (response) => {
          if (seen.push(response.text()) === 3) resolve();
        });
        assert.equal(observation.active, true);
        await promise;
        assert.equal(new Set(seen).size, 3);
        await observation.cancel();
        assert.equal(endpoint.open()['clientExchanges'], 0);
      });

      test(
        'speaks CoAP over TCP',
        { skip: program.endsWith('-notls') && 'this build has no TCP' },
        async (t) => {
          const port = await freePort();
          const server = new RunningProgram(program, ['-A', '127.0.0.1', '-p', String(port), '-d', '10']);
          t.after(() => server.end());
          const runtime = createNodeRuntime();
          const endpoint = createCoapStreamEndpoint({ runtime });
          t.after(() => endpoint.close());
          const peer = endpoint.attach(await connected(port));
          await endpoint.ping(peer);
          const core = await endpoint.request(peer, { method: 'GET', path: '/.well-known/core' });
          assert.ok(core.success);
          const put = await endpoint.request(peer, { method: 'PUT', path: '/body', payload: LARGE });
          assert.equal(formatCode(put.code), '2.01');
          assert.equal((await endpoint.request(peer, { method: 'GET', path: '/body' })).text(), LARGE);
          runtime.close();
        },
      );
    },
  );
}

for (const program of BUILDS.slice(1)) {
  const skip = skipWithout(program, 'stdbuf', 'openssl');
  test(`our client with libcoap's ${program}: speaks CoAP over TLS`, { skip }, async (t) => {
    const { certificate, certificateFile, keyFile } = makeCertificate();
    const port = await freePort();
    // -n: clients need no certificate. The secured port is the one behind the plain one.
    const files = ['-c', certificateFile, '-j', keyFile, '-n'];
    const server = new RunningProgram(program, ['-A', '127.0.0.1', '-p', String(port), '-d', '10', ...files]);
    t.after(() => server.end());
    const runtime = createNodeRuntime();
    const endpoint = createCoapStreamEndpoint({ runtime });
    t.after(() => endpoint.close());
    const tls = { authority: certificate, serverName: 'localhost', protocols: ['coap'] };
    const peer = endpoint.attach(await connected(port + 1, tls));
    assert.equal(peer.identity.kind, 'x509');
    const put = await endpoint.request(peer, { method: 'PUT', path: '/body', payload: LARGE });
    assert.equal(formatCode(put.code), '2.01');
    assert.equal((await endpoint.request(peer, { method: 'GET', path: '/body' })).text(), LARGE);
    runtime.close();
  });
}

/** The program says nothing when it listens: the first connection that it accepts does. */
async function connected(port: number, tls?: StreamTls, attempts = 50): Promise<StreamConnection> {
  try {
    return await connectStream({ address: '127.0.0.1', port }, tls);
  } catch (error) {
    if (attempts === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return connected(port, tls, attempts - 1);
  }
}
