import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dtls } from 'node-dtls-client';
import { makeCredentials, PSK_HEX, PSK_IDENTITY } from './credentials.ts';
import { ImpairedPath, type Impairment } from './impaired-path.ts';
import { repeatUntil, startOurServer } from './our-side.ts';
import { skipWithout } from './programs.ts';

const skip = skipWithout('openssl');
const credentials = skip === false ? makeCredentials() : undefined;

/** It sends nothing twice and expects records in order: paths that lose or reorder are beyond it. */
const PATHS: readonly Impairment[] = [{ name: 'plain' }, { name: 'MTU 300', mtu: 300 }];

describe('node-dtls-client as a client of ours', { skip }, () => {
  for (const cipher of ['TLS_PSK_WITH_AES_128_CCM_8', 'TLS_PSK_WITH_AES_128_GCM_SHA256'] as const) {
    for (const impairment of PATHS) {
      test(`${cipher}, ${impairment.name}`, async (t) => {
        assert.ok(credentials);
        const server = await startOurServer(t, credentials, impairment);
        const route = await ImpairedPath.open(server.port, impairment);
        t.after(() => route.close());
        const received: string[] = [];
        const problems: unknown[] = [];
        let connected = false;
        const socket = dtls.createSocket({
          type: 'udp4',
          address: '127.0.0.1',
          port: route.port,
          psk: { [PSK_IDENTITY]: Buffer.from(PSK_HEX, 'hex').toString('latin1') },
          ciphers: [cipher],
        });
        socket.on('connected', () => {
          connected = true;
        });
        socket.on('message', (data: Buffer) => received.push(data.toString()));
        socket.on('error', (error: unknown) => problems.push(error));
        t.after(() => socket.close());
        const done = await repeatUntil(
          () => received.includes('hello'),
          () => connected && socket.send(Buffer.from('hello')),
          10_000,
        );
        assert.ok(
          done,
          `${String(problems)} ${JSON.stringify([server.failures, server.endpoint.counters()])}`,
        );
        assert.equal(server.endpoint.counters()[`cipherSuite.${cipher}`], 1);
      });
    }
  }
});
