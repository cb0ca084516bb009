import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { common } from '@sefleet/api';
import type { KnownDevice } from '../../../services/lwm2m-server/src/testing/server-bench.ts';
import { ServerBench } from '../../../services/lwm2m-server/src/testing/server-bench.ts';
import { RunningProgram, skipWithout } from '../dtls/programs.ts';

/** Other programs as devices: raw public keys over DTLS, pre-shared keys over TLS, and no security at all. */
let bench: ServerBench;
let meter: KnownDevice;

before(async () => {
  bench = await ServerBench.start({
    SEFLEET_LWM2M_TCP: 'on',
    SEFLEET_LWM2M_PLAIN_ENDPOINTS: 'lab-*',
    SEFLEET_LWM2M_PLAIN_PORT: '0',
    SEFLEET_BOOTSTRAP_PLAIN_PORT: '0',
  });
  meter = bench.addDevice('other-program');
});
after(() => bench.stop());

function run(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 15_000 }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

const REGISTER = ['-v', '7', '-B', '5', '-m', 'post', '-t', '40', '-e', '</3/0>'];

/** A key pair in files, which provisioning knows as that of `endpoint` unless it is undefined. */
function rawKeyFiles(
  name: string,
  endpoint: string | undefined,
): { readonly secret: string; readonly open: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files = { secret: join(bench.folder, `${name}.pem`), open: join(bench.folder, `${name}.pub.pem`) };
  writeFileSync(files.secret, privateKey.export({ format: 'pem', type: 'sec1' }));
  writeFileSync(files.open, publicKey.export({ format: 'pem', type: 'spki' }));
  const der = publicKey.export({ format: 'der', type: 'spki' });
  const reference = `public-key:${createHash('sha256').update(der).digest('hex')}`;
  if (endpoint !== undefined) {
    bench.ownCredentials.push({ reference, endpoint, kind: common.DeviceKind.SMART_METER });
  }
  return files;
}

const GNUTLS = 'coap-client-gnutls';

test(`${GNUTLS} registers with a raw public key`, { skip: skipWithout(GNUTLS) }, async () => {
  const endpoint = 'urn:dev:sefleet:raw';
  const { secret } = rawKeyFiles('raw', endpoint);
  const uri = `coaps://127.0.0.1:${bench.lwm2mPort}/rd?ep=${endpoint}&lwm2m=1.1`;
  assert.match(await run(GNUTLS, [...REGISTER, '-M', secret, '-n', uri]), /2\.01/);
  const { registration } = await bench.client.getRegistration({ endpoint });
  assert.match(registration?.credential ?? '', /^rpk:[0-9a-f]{64}$/);
  const other = uri.replace('sefleet:raw', 'sefleet:someone');
  assert.match(await run(GNUTLS, [...REGISTER, '-M', secret, '-n', other]), /4\.03/);
  const unknown = rawKeyFiles('unknown', undefined);
  assert.doesNotMatch(await run(GNUTLS, [...REGISTER, '-M', unknown.secret, '-n', uri]), /2\.01/);
});

test(
  'gnutls-cli completes a handshake with raw public keys',
  {
    skip: skipWithout('gnutls-cli', 'stdbuf'),
  },
  async (t) => {
    const { secret, open } = rawKeyFiles('cli', 'urn:dev:sefleet:raw-cli');
    const priority =
      'NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:-CIPHER-ALL:+AES-128-CCM-8';
    const keys = ['--rawpkkeyfile', secret, '--rawpkfile', open, '--no-ca-verification'];
    const target = ['--udp', '--port', String(bench.lwm2mPort), '127.0.0.1'];
    const program = new RunningProgram('gnutls-cli', [...target, ...keys, '--priority', priority]);
    t.after(() => program.end());
    await program.printed(/Handshake was completed/);
  },
);

for (const [version, suite] of [
  ['-tls1_2', 'PSK-AES128-CCM8:@SECLEVEL=0'],
  ['-tls1_2', 'PSK-AES128-GCM-SHA256'],
  ['-tls1_2', 'ECDHE-PSK-AES128-CBC-SHA256'],
  ['-tls1_3', 'PSK-AES128-GCM-SHA256'],
] as const) {
  test(
    `openssl s_client comes in by pre-shared key over TLS: ${version} ${suite}`,
    {
      skip: skipWithout('openssl', 'stdbuf'),
    },
    async (t) => {
      const accepted = await connections();
      const key = Buffer.from(meter.psk).toString('hex');
      const target = ['-connect', `127.0.0.1:${bench.lwm2mPort}`, '-cipher', suite];
      const psk = ['-psk_identity', meter.identity, '-psk', key];
      const program = new RunningProgram('openssl', ['s_client', version, ...target, ...psk]);
      t.after(() => program.end());
      await program.printed(version === '-tls1_3' ? /Reused, TLSv1\.3/ : /Cipher\s+: \S*PSK/);
      while ((await connections()) === accepted) await new Promise((resolve) => setTimeout(resolve, 20));
    },
  );
}

test(
  'openssl s_client is refused with a wrong key or without any over TLS',
  {
    skip: skipWithout('openssl'),
  },
  async () => {
    const accepted = await connections();
    const target = ['-connect', `127.0.0.1:${bench.lwm2mPort}`];
    const wrong = ['-tls1_2', '-cipher', 'PSK', '-psk_identity', meter.identity, '-psk', '00112233'];
    assert.match(await run('openssl', ['s_client', ...target, ...wrong]), /alert|error/i);
    await run('openssl', ['s_client', ...target]);
    assert.equal(await connections(), accepted);
  },
);

test(
  'coap-client registers without security when its name is allowed',
  {
    skip: skipWithout('coap-client-notls'),
  },
  async () => {
    const uri = (endpoint: string): string =>
      `coap://127.0.0.1:${bench.plainPort}/rd?ep=${endpoint}&lwm2m=1.1`;
    assert.match(await run('coap-client-notls', [...REGISTER, uri('lab-7')]), /2\.01/);
    assert.match(await run('coap-client-notls', [...REGISTER, uri(meter.endpoint)]), /4\.03/);
  },
);

async function connections(): Promise<number> {
  const { counters } = await bench.client.getStatistics({});
  return Number(counters.find(({ name }) => name === 'tls.connections')?.value ?? 0n);
}
