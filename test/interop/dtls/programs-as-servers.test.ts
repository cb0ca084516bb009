import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createX509Trust, type CipherSuiteName, type DtlsClientSettings } from '@sefleet/dtls';
import { makeCredentials, PSK, PSK_HEX, PSK_IDENTITY } from './credentials.ts';
import { ImpairedPath, IMPAIRMENTS } from './impaired-path.ts';
import { repeatUntil, startOurClient } from './our-side.ts';
import { freePort, RunningProgram, skipWithout } from './programs.ts';

const skip = skipWithout('openssl', 'stdbuf');
const credentials = skip === false ? makeCredentials() : undefined;

const path = (name: string): string => credentials?.path(name) ?? name;

interface Cell {
  readonly name: string;
  readonly suite: CipherSuiteName;
  readonly with: 'psk' | 'x509' | 'rpk';
  readonly args: readonly string[];
}

const opensslX509 = ['-cert', path('server.pem'), '-key', path('server.key')];
const opensslPsk = ['-nocert', '-psk_identity', PSK_IDENTITY, '-psk', PSK_HEX];
const demandX509 = ['-Verify', '2', '-CAfile', path('ca.pem'), '-verify_return_error'];

const openssl = (cipher: string, credential: readonly string[]): readonly string[] => [
  '-cipher',
  `${cipher}:@SECLEVEL=0`,
  ...credential,
];

const OPENSSL: readonly Cell[] = [
  {
    name: 'PSK-CCM8',
    suite: 'TLS_PSK_WITH_AES_128_CCM_8',
    with: 'psk',
    args: openssl('PSK-AES128-CCM8', opensslPsk),
  },
  {
    name: 'ECDHE-ECDSA-CCM8, mutual',
    suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8',
    with: 'x509',
    args: openssl('ECDHE-ECDSA-AES128-CCM8', [...opensslX509, ...demandX509]),
  },
  {
    name: 'ECDHE-ECDSA-GCM',
    suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    with: 'x509',
    args: openssl('ECDHE-ECDSA-AES128-GCM-SHA256', opensslX509),
  },
];

const only = (kx: string, cipher: string): readonly string[] => [
  '--priority',
  `NONE:+VERS-DTLS1.2:+COMP-ALL:+MAC-ALL:+SIGN-ALL:+GROUP-ALL:+${kx}:+${cipher}`,
];
const gnutlsX509 = [`--x509keyfile=${path('server.key')}`, `--x509certfile=${path('server.pem')}`];
const gnutlsPsk = [`--pskpasswd=${path('psk.txt')}`];

const GNUTLS: readonly Cell[] = [
  {
    name: 'PSK-CCM8',
    suite: 'TLS_PSK_WITH_AES_128_CCM_8',
    with: 'psk',
    args: [...only('PSK', 'AES-128-CCM-8'), ...gnutlsPsk],
  },
  {
    name: 'ECDHE-ECDSA-CCM8, mutual',
    suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8',
    with: 'x509',
    args: [
      ...only('ECDHE-ECDSA', 'AES-128-CCM-8:+CTYPE-X509'),
      ...gnutlsX509,
      '--require-client-cert',
      '--verify-client-cert',
      `--x509cafile=${path('ca.pem')}`,
    ],
  },
  {
    name: 'ECDHE-ECDSA-GCM',
    suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    with: 'x509',
    args: [...only('ECDHE-ECDSA', 'AES-128-GCM:+CTYPE-X509'), ...gnutlsX509, '--disable-client-cert'],
  },
  {
    name: 'RPK-CCM8',
    suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8',
    with: 'rpk',
    args: [
      ...only('ECDHE-ECDSA', 'AES-128-CCM-8:+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK'),
      `--rawpkkeyfile=${path('server.key')}`,
      `--rawpkfile=${path('server.pub')}`,
      '--require-client-cert',
    ],
  },
];

function serverCommand(peer: string, port: number, mtu: number, cell: Cell): readonly string[] {
  if (peer === 'gnutls-serv') {
    return ['gnutls-serv', '--udp', '--echo', `--mtu=${mtu}`, '-p', String(port), '--noticket', ...cell.args];
  }
  return [
    'openssl',
    's_server',
    '-dtls1_2',
    '-accept',
    `127.0.0.1:${port}`,
    '-mtu',
    String(mtu),
    '-listen',
    ...cell.args,
  ];
}

for (const [peer, cells, ready] of [
  ['openssl s_server', OPENSSL, /ACCEPT/],
  ['gnutls-serv', GNUTLS, /listening|done/],
] as const) {
  describe(
    `our client with ${peer}`,
    { concurrency: 6, skip: skip || skipWithout(peer.split(' ')[0] ?? '') },
    () => {
      for (const cell of cells) {
        for (const impairment of IMPAIRMENTS) {
          test(`${cell.name}, ${impairment.name}`, async (t) => {
            assert.ok(credentials);
            const port = await freePort();
            const [command = '', ...args] = serverCommand(peer, port, impairment.mtu ?? 1200, cell);
            const program = new RunningProgram(command, args);
            t.after(() => program.end());
            await program.printed(ready);
            const route = await ImpairedPath.open(port, impairment, { seed: 5 });
            t.after(() => route.close());
            const client = await startOurClient(t, impairment);
            const peerOfOurs = await client.endpoint.connect(
              '127.0.0.1',
              route.port,
              settingsFor(cell, client.clock),
            );
            assert.equal(client.endpoint.sessionInfo(peerOfOurs)?.cipherSuite, cell.suite);
            const echoes = peer === 'gnutls-serv';
            const done = await repeatUntil(
              () =>
                client.received.some((text) => text.includes('hello')) &&
                (echoes || program.output.includes('ping')),
              () => {
                client.endpoint.send(Buffer.from(echoes ? 'hello\n' : 'ping\n'), peerOfOurs);
                if (!echoes) program.write('hello\n');
              },
            );
            assert.ok(done, `${program.output}\n${JSON.stringify(client.endpoint.counters())}`);
          });
        }
      }
    },
  );
}

function settingsFor(cell: Cell, clock: { wallMs(): number }): DtlsClientSettings {
  assert.ok(credentials);
  const cipherSuites = [cell.suite];
  if (cell.with === 'psk') return { psk: PSK, cipherSuites };
  const signingKey = credentials.signingKey('client');
  if (cell.with === 'rpk') {
    const expected = credentials.der('server.pub');
    const rawPublicKey = (key: Uint8Array): boolean => Buffer.compare(key, expected) === 0;
    return { signingKey, cipherSuites, trust: { rawPublicKey } };
  }
  const x509 = createX509Trust({ anchors: [credentials.der('ca.pem')], clock });
  return { signingKey, cipherSuites, trust: { x509 }, serverName: 'localhost' };
}
