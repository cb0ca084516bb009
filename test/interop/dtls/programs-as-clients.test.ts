import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeCredentials, PSK_HEX, PSK_IDENTITY } from './credentials.ts';
import { ImpairedPath, IMPAIRMENTS, type Impairment } from './impaired-path.ts';
import { repeatUntil, startOurServer } from './our-side.ts';
import { RunningProgram, skipWithout } from './programs.ts';

const skip = skipWithout('openssl', 'stdbuf');
const credentials = skip === false ? makeCredentials() : undefined;

interface Cell {
  readonly suite: string;
  readonly command: (port: number, mtu: number) => readonly string[];
}

const path = (name: string): string => credentials?.path(name) ?? name;

const opensslClient = (port: number, mtu: number): readonly string[] =>
  `openssl s_client -dtls1_2 -quiet -connect 127.0.0.1:${port} -mtu ${mtu}`.split(' ');
const opensslPsk = ['-psk_identity', PSK_IDENTITY, '-psk', PSK_HEX];
const opensslX509 = ['-CAfile', path('ca.pem'), '-verify_return_error'];
const opensslCell = (suite: string, cipher: string, credential: readonly string[]): Cell => ({
  suite,
  command: (port, mtu) => [...opensslClient(port, mtu), '-cipher', `${cipher}:@SECLEVEL=0`, ...credential],
});

const OPENSSL: readonly Cell[] = [
  opensslCell('PSK-CCM8', 'PSK-AES128-CCM8', opensslPsk),
  opensslCell('ECDHE-ECDSA-CCM8', 'ECDHE-ECDSA-AES128-CCM8', opensslX509),
  opensslCell('ECDHE-ECDSA-GCM', 'ECDHE-ECDSA-AES128-GCM-SHA256', opensslX509),
];

const gnutlsCell = (suite: string, priority: string, credential: readonly string[]): Cell => ({
  suite,
  command: (port, mtu) =>
    [
      `gnutls-cli --udp --mtu=${mtu} -p ${port} --priority`.split(' '),
      priority,
      credential,
      '127.0.0.1',
    ].flat(),
});
const gnutlsPsk = ['--pskusername', PSK_IDENTITY, '--pskkey', PSK_HEX];
const only = (kx: string, cipher: string): string =>
  `NONE:+VERS-DTLS1.2:+COMP-ALL:+MAC-ALL:+SIGN-ALL:+GROUP-ALL:+${kx}:+${cipher}`;
const rawKeys = ':+CTYPE-SRV-RAWPK:+CTYPE-CLI-RAWPK';

const GNUTLS: readonly Cell[] = [
  gnutlsCell('PSK-CCM8', only('PSK', 'AES-128-CCM-8'), gnutlsPsk),
  gnutlsCell('ECDHE-ECDSA-CCM8', `${only('ECDHE-ECDSA', 'AES-128-CCM-8')}:+CTYPE-X509`, [
    `--x509cafile=${path('ca.pem')}`,
  ]),
  gnutlsCell('ECDHE-ECDSA-GCM', `${only('ECDHE-ECDSA', 'AES-128-GCM')}:+CTYPE-X509`, [
    `--x509cafile=${path('ca.pem')}`,
  ]),
  gnutlsCell('RPK-CCM8', only('ECDHE-ECDSA', 'AES-128-CCM-8') + rawKeys, [
    '--insecure',
    `--rawpkkeyfile=${path('client.key')}`,
    `--rawpkfile=${path('client.pub')}`,
  ]),
];

for (const [peer, cells] of [
  ['openssl s_client', OPENSSL],
  ['gnutls-cli', GNUTLS],
] as const) {
  describe(
    `${peer} as a client of ours`,
    { concurrency: 6, skip: skip || skipWithout(peer.split(' ')[0] ?? '') },
    () => {
      for (const cell of cells) {
        for (const impairment of IMPAIRMENTS) {
          test(`${cell.suite}, ${impairment.name}`, async (t) => {
            assert.ok(credentials);
            const server = await startOurServer(t, credentials, impairment);
            const route = await ImpairedPath.open(server.port, impairment, { seed: 7 });
            const program = new RunningProgram(...commandOf(cell, route.port, impairment));
            t.after(async () => {
              await program.end();
              await route.close();
            });
            const done = await repeatUntil(
              () => server.received.some((text) => text.includes('hello')) && /hello/.test(program.output),
              () => server.established.length > 0 && program.write('hello\n'),
            );
            assert.ok(
              done,
              `${program.output}\n${JSON.stringify([server.failures, server.endpoint.counters()])}`,
            );
          });
        }
      }
    },
  );
}

function commandOf(cell: Cell, port: number, impairment: Impairment): [string, readonly string[]] {
  const [command = '', ...args] = cell.command(port, impairment.mtu ?? 1200);
  return [command, args];
}
