import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createResumptionCache, createSoftwarePsk } from '@sefleet/dtls';
import { makeCredentials, PSK, PSK_HEX, PSK_IDENTITY } from './credentials.ts';
import { repeatUntil, startOurClient, startOurServer } from './our-side.ts';
import { freePort, RunningProgram, skipWithout } from './programs.ts';

const skip = skipWithout('openssl', 'stdbuf');
const credentials = skip === false ? makeCredentials() : undefined;
const PLAIN = { name: 'plain' };
const WRONG_HEX = 'ff'.repeat(16);

const opensslClient = (port: number, ...more: string[]): RunningProgram => {
  const args = `s_client -dtls1_2 -connect 127.0.0.1:${port} -cipher PSK-AES128-CCM8:@SECLEVEL=0`;
  return new RunningProgram('openssl', [...args.split(' '), ...more]);
};

describe('sessions with openssl', { skip }, () => {
  test('s_client resumes a session of ours by its id', async (t) => {
    assert.ok(credentials);
    const resumption = createResumptionCache({ capacity: 10 });
    const server = await startOurServer(t, credentials, PLAIN, { server: { resumption } });
    const file = credentials.path('session.pem');
    const psk = ['-psk_identity', PSK_IDENTITY, '-psk', PSK_HEX];
    const first = opensslClient(server.port, ...psk, '-sess_out', file);
    await first.printed(/Verify return code/);
    first.write('Q\n');
    await repeatUntil(
      () => server.endpoint.sessionCount === 0,
      () => {},
    );
    await first.end();
    const second = opensslClient(server.port, ...psk, '-sess_in', file);
    t.after(() => second.end());
    await second.printed(/Reused, TLSv1.2, Cipher is PSK-AES128-CCM8/);
    const done = await repeatUntil(
      () => server.received.some((text) => text.includes('hello')),
      () => second.write('hello\n'),
    );
    assert.ok(done);
    assert.equal(server.endpoint.counters()['handshakes.resumed'], 1);
  });

  test('our client resumes a session of s_server by its id', async (t) => {
    const port = await freePort();
    const args = `s_server -dtls1_2 -accept 127.0.0.1:${port} -nocert -cipher PSK-AES128-CCM8:@SECLEVEL=0 -no_ticket`;
    const server = new RunningProgram('openssl', [
      ...args.split(' '),
      '-psk',
      PSK_HEX,
      '-psk_identity',
      PSK_IDENTITY,
    ]);
    t.after(() => server.end());
    await server.printed(/ACCEPT/);
    const client = await startOurClient(t, PLAIN);
    const first = await client.endpoint.connect('127.0.0.1', port, { psk: PSK });
    const resume = client.endpoint.resumptionState(first);
    assert.ok(resume);
    client.endpoint.closePeer(first);
    await server.printed(/CONNECTION CLOSED/);
    const second = await client.endpoint.connect('127.0.0.1', port, { psk: PSK, resume });
    assert.equal(client.endpoint.sessionInfo(second)?.resumed, true);
    const done = await repeatUntil(
      () => server.output.includes('hello'),
      () => client.endpoint.send(Buffer.from('hello\n'), second),
    );
    assert.ok(done, server.output);
  });

  test('a ClientHello of s_client that comes in pieces needs one cookie and no state before it', async (t) => {
    assert.ok(credentials);
    const server = await startOurServer(t, credentials, PLAIN);
    // Every cipher suite that OpenSSL knows, through an MTU that none of its ClientHellos fits.
    const args = `s_client -dtls1_2 -mtu 256 -connect 127.0.0.1:${server.port}`.split(' ');
    const psk = [
      '-psk_identity',
      PSK_IDENTITY,
      '-psk',
      PSK_HEX,
      '-cipher',
      'ALL:PSK-AES128-CCM8:@SECLEVEL=0',
    ];
    const client = new RunningProgram('openssl', [...args, ...psk]);
    t.after(() => client.end());
    await client.printed(/Cipher is ECDHE-ECDSA-AES128-CCM8/);
    assert.equal(server.endpoint.counters()['cookies.sent'], 1);
    assert.equal(server.endpoint.sessionCount, 1);
  });

  for (const [what, identity, key] of [
    ['a wrong key', PSK_IDENTITY, WRONG_HEX],
    ['an unknown identity', 'nobody', PSK_HEX],
  ] as const) {
    test(`s_client with ${what} is told decrypt_error`, async (t) => {
      assert.ok(credentials);
      const server = await startOurServer(t, credentials, PLAIN);
      const client = opensslClient(server.port, '-psk_identity', identity, '-psk', key);
      t.after(() => client.end());
      await client.printed(/alert decrypt error/);
      const [failure] = server.failures;
      assert.equal(failure?.reason, identity === 'nobody' ? 'unknownIdentity' : 'wrongKey');
      assert.equal(failure?.identity, identity);
    });
  }

  test('our client with a wrong key is told so by s_server', async (t) => {
    const port = await freePort();
    const args = `s_server -dtls1_2 -accept 127.0.0.1:${port} -nocert -cipher PSK-AES128-CCM8:@SECLEVEL=0`;
    const server = new RunningProgram('openssl', [
      ...args.split(' '),
      '-psk',
      PSK_HEX,
      '-psk_identity',
      PSK_IDENTITY,
    ]);
    t.after(() => server.end());
    await server.printed(/ACCEPT/);
    const flightTimers = { initialTimeoutMs: 100, maxRetransmissions: 2 };
    const client = await startOurClient(t, PLAIN, { flightTimers });
    const psk = createSoftwarePsk(PSK_IDENTITY, Buffer.from(WRONG_HEX, 'hex'));
    await assert.rejects(client.endpoint.connect('127.0.0.1', port, { psk }), {
      code: 'DTLS_HANDSHAKE_FAILED',
    });
  });
});

describe('sessions with gnutls-cli', { skip: skip || skipWithout('gnutls-cli') }, () => {
  test('resumes a session of ours by its id', async (t) => {
    assert.ok(credentials);
    const resumption = createResumptionCache({ capacity: 10 });
    const server = await startOurServer(t, credentials, PLAIN, { server: { resumption } });
    const args = `--udp -r -p ${server.port} --pskusername ${PSK_IDENTITY} --pskkey ${PSK_HEX} 127.0.0.1 --priority`;
    const priority = 'NORMAL:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CCM-8:-VERS-ALL:+VERS-DTLS1.2';
    const client = new RunningProgram('gnutls-cli', [...args.split(' '), priority]);
    t.after(() => client.end());
    await client.printed(/This is a resumed session/);
    assert.equal(server.endpoint.counters()['handshakes.resumed'], 1);
  });
});
