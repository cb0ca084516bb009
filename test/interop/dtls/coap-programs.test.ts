import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Peer } from '@sefleet/runtime';
import {
  createSoftwarePsk,
  createX509Trust,
  type DtlsClientSettings,
  type DtlsEndpoint,
} from '@sefleet/dtls';
import { makeCredentials, PSK_IDENTITY } from './credentials.ts';
import { ImpairedPath, IMPAIRMENTS } from './impaired-path.ts';
import { repeatUntil, startOurClient, startOurServer } from './our-side.ts';
import { freePort, RunningProgram, skipWithout } from './programs.ts';

const skip = skipWithout('openssl', 'stdbuf');
const credentials = skip === false ? makeCredentials() : undefined;
const path = (name: string): string => credentials?.path(name) ?? name;
// The programs take the key as text.
const ASCII_KEY = 'sixteen-byte-key';
const asciiPsk = () => createSoftwarePsk(PSK_IDENTITY, Buffer.from(ASCII_KEY));

/** RFC 7252 §3, as much as a test needs: a confirmable GET of `/`, and 2.05 Content for any request. */
const GET_ROOT = Uint8Array.of(0x40, 0x01, 0x12, 0x34);
const answerTo = (request: Uint8Array): Uint8Array => {
  const tokenLength = (request[0] ?? 0) & 0x0f;
  const head = [0x60 | tokenLength, 0x45, request[2] ?? 0, request[3] ?? 0];
  return Uint8Array.from([...head, ...request.subarray(4, 4 + tokenLength), 0xff, ...Buffer.from('sefleet')]);
};

for (const library of ['openssl', 'gnutls'] as const) {
  const program = `coap-client-${library}`;
  describe(
    `libcoap's ${program} as a client of ours`,
    { concurrency: 6, skip: skip || skipWithout(program) },
    () => {
      for (const credential of ['PSK', 'X.509'] as const) {
        for (const impairment of IMPAIRMENTS) {
          // It takes no MTU, and its Certificate message is one datagram of more than 300 bytes.
          const tooLarge =
            credential === 'X.509' && impairment.mtu !== undefined && `${program} has no MTU setting`;
          test(`${credential}, ${impairment.name}`, { skip: tooLarge }, async (t) => {
            assert.ok(credentials);
            const server = await startOurServer(t, credentials, impairment, {
              server: serverSettings(credential),
            });
            answerCoap(server.endpoint);
            const args =
              credential === 'PSK'
                ? ['-u', PSK_IDENTITY, '-k', ASCII_KEY]
                : ['-c', path('client.pem'), '-j', path('client.key'), '-C', path('ca.pem')];
            // It gives up after some seconds, which two losses in a row can fill: then it is started again.
            let got = '';
            for (let seed = 1; seed <= 4 && !got.includes('sefleet'); seed++) {
              const route = await ImpairedPath.open(server.port, impairment, { seed });
              const client = new RunningProgram(program, [
                '-B',
                '20',
                ...args,
                `coaps://127.0.0.1:${route.port}/`,
              ]);
              await client.printed(/sefleet/).catch(() => {});
              got += client.output;
              await client.end();
              await route.close();
              if (impairment.loss === undefined) break;
            }
            assert.match(got, /sefleet/, JSON.stringify([server.failures, server.endpoint.counters()]));
          });
        }
      }
    },
  );

  const serverProgram = `coap-server-${library}`;
  describe(
    `our client with libcoap's ${serverProgram}`,
    { concurrency: 6, skip: skip || skipWithout(serverProgram) },
    () => {
      for (const credential of ['PSK', 'X.509'] as const) {
        for (const impairment of IMPAIRMENTS) {
          const tooLarge =
            credential === 'X.509' && impairment.mtu !== undefined && `${serverProgram} has no MTU setting`;
          test(`${credential}, ${impairment.name}`, { skip: tooLarge }, async (t) => {
            const port = await freePort();
            const args =
              credential === 'PSK'
                ? ['-h', 'hint', '-k', ASCII_KEY]
                : ['-c', path('server.pem'), '-j', path('server.key'), '-C', path('ca.pem')];
            const server = new RunningProgram(serverProgram, [
              '-v',
              '7',
              '-A',
              '127.0.0.1',
              '-p',
              String(port),
              ...args,
            ]);
            t.after(() => server.end());
            await server.printed(/created TLS +endpoint/);
            // It gives sessions up after some seconds, which losses in a row can fill: then another attempt
            // is made.
            let done = false;
            const failures: unknown[] = [];
            for (let seed = 1; seed <= 4 && !done; seed++) {
              const route = await ImpairedPath.open(port + 1, impairment, { seed });
              const client = await startOurClient(t, impairment);
              try {
                const settings = settingsFor(credential, client.clock);
                const peer = await client.endpoint.connect('127.0.0.1', route.port, settings);
                done = await repeatUntil(
                  () => client.received.some((text) => text.includes('libcoap')),
                  () => client.endpoint.send(GET_ROOT, peer),
                  impairment.loss === undefined ? 15_000 : 5000,
                );
              } catch (error) {
                failures.push(error);
              }
              failures.push(client.endpoint.counters());
              await route.close();
              if (impairment.loss === undefined) break;
            }
            assert.ok(done, `${server.output}\n${JSON.stringify(failures)}`);
          });
        }
      }
    },
  );
}

function serverSettings(credential: 'PSK' | 'X.509') {
  const pskFor = (identity: string) => (identity === PSK_IDENTITY ? asciiPsk() : undefined);
  return credential === 'PSK' ? { pskFor } : { clientAuthentication: 'required' as const };
}

function answerCoap(endpoint: DtlsEndpoint): void {
  const datagram = (data: Uint8Array, peer: Peer): void => endpoint.send(answerTo(data), peer);
  endpoint.listen({ datagram });
}

function settingsFor(credential: 'PSK' | 'X.509', clock: { wallMs(): number }): DtlsClientSettings {
  if (credential === 'PSK') return { psk: asciiPsk() };
  assert.ok(credentials);
  const x509 = createX509Trust({ anchors: [credentials.der('ca.pem')], clock });
  return { signingKey: credentials.signingKey('client'), trust: { x509 }, serverName: 'localhost' };
}
