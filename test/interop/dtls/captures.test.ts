import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { createX509Trust, type DtlsClientSettings, type DtlsEndpointOptions } from '@sefleet/dtls';
import { makeCredentials, PSK, PSK_HEX, PSK_IDENTITY } from './credentials.ts';
import { ImpairedPath } from './impaired-path.ts';
import { repeatUntil, startOurClient, startOurServer } from './our-side.ts';
import { PcapWriter } from './pcap-writer.ts';
import { RunningProgram, skipWithout } from './programs.ts';

const skip = skipWithout('openssl', 'stdbuf', 'tshark');
const credentials = skip === false ? makeCredentials() : undefined;
const PLAIN = { name: 'plain' };

/** What tshark makes of a capture once it has the keys. */
function dissect(pcap: PcapWriter, keyLog: readonly string[], serverPort: number) {
  assert.ok(credentials);
  const files = {
    capture: credentials.path(`${serverPort}.pcap`),
    keys: credentials.path(`${serverPort}.keys`),
  };
  pcap.write(files.capture);
  writeFileSync(files.keys, `${keyLog.join('\n')}\n`);
  const tshark = (...args: string[]): string =>
    execFileSync(
      'tshark',
      [
        '-r',
        files.capture,
        '-o',
        `tls.keylog_file:${files.keys}`,
        '-d',
        `udp.port==${serverPort},dtls`,
        ...args,
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    );
  const malformed = tshark('-Y', '_ws.malformed || _ws.expert.severity == error').trim();
  const dissection = tshark('-V', '-x');
  return { malformed, dissection };
}

describe('tshark reads our traffic with the key log', { concurrency: 4, skip }, () => {
  const clients: readonly [string, Partial<DtlsEndpointOptions>, () => DtlsClientSettings][] = [
    ['PSK-CCM8', {}, () => ({ psk: PSK, cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'] })],
    ['PSK-GCM', {}, () => ({ psk: PSK, cipherSuites: ['TLS_PSK_WITH_AES_128_GCM_SHA256'] })],
    ['ECDHE-PSK-CCM8', {}, () => ({ psk: PSK, cipherSuites: ['TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256'] })],
    ['PSK-CCM8 with connection IDs', { connectionIdLength: 4 }, () => ({ psk: PSK })],
    ['ECDHE-ECDSA-CCM8, mutual', {}, x509Client],
  ];
  for (const [name, options, settings] of clients) {
    test(`our client with our server, ${name}`, async (t) => {
      assert.ok(credentials);
      const keyLog: string[] = [];
      const pcap = new PcapWriter();
      const server = await startOurServer(t, credentials, PLAIN, {
        ...(options.connectionIdLength === undefined ? { connectionIdLength: undefined } : {}),
        keyLog: (line) => keyLog.push(line),
        server: { clientAuthentication: 'required' },
      });
      const route = await ImpairedPath.open(server.port, PLAIN, { pcap });
      t.after(() => route.close());
      const client = await startOurClient(t, PLAIN, options);
      const peer = await client.endpoint.connect('127.0.0.1', route.port, settings());
      const done = await repeatUntil(
        () => client.received.length > 0,
        () => client.endpoint.send(Buffer.from('read by tshark'), peer),
      );
      assert.ok(done);
      const { malformed, dissection } = dissect(pcap, keyLog, server.port);
      assert.equal(malformed, '');
      if (options.connectionIdLength !== undefined) assert.match(dissection, /Special Type: Connection ID/);
      // tshark 4.0 has no decryption for this suite; it reads the handshake all the same.
      if (name !== 'ECDHE-PSK-CCM8') assert.match(dissection, /read by tshark/);
    });
  }

  test('openssl s_client with our server, PSK-CCM8', async (t) => {
    assert.ok(credentials);
    const keyLog: string[] = [];
    const pcap = new PcapWriter();
    const server = await startOurServer(t, credentials, PLAIN, { keyLog: (line) => keyLog.push(line) });
    const route = await ImpairedPath.open(server.port, PLAIN, { pcap });
    t.after(() => route.close());
    const args = `s_client -dtls1_2 -quiet -connect 127.0.0.1:${route.port} -cipher PSK-AES128-CCM8:@SECLEVEL=0`;
    const client = new RunningProgram('openssl', [
      ...args.split(' '),
      '-psk_identity',
      PSK_IDENTITY,
      '-psk',
      PSK_HEX,
    ]);
    t.after(() => client.end());
    const done = await repeatUntil(
      () => server.received.length > 0,
      () => server.established.length > 0 && client.write('read by tshark\n'),
    );
    assert.ok(done);
    const { malformed, dissection } = dissect(pcap, keyLog, server.port);
    assert.equal(malformed, '');
    assert.match(dissection, /read by tshark/);
  });
});

function x509Client(): DtlsClientSettings {
  assert.ok(credentials);
  const x509 = createX509Trust({ anchors: [credentials.der('ca.pem')], clock: { wallMs: () => Date.now() } });
  return { signingKey: credentials.signingKey('client'), trust: { x509 }, serverName: 'localhost' };
}
