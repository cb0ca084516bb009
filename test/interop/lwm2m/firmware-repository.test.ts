import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createCoapEndpoint, createCoapStreamEndpoint } from '@sefleet/coap';
import type { CoapReply, CoapUri } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { createCoapDownload } from '@sefleet/lwm2m-coap';
import type { RepositoryConnection } from '@sefleet/lwm2m-coap';
import { connectStream, createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { freePort, RunningProgram, skipWithout } from '../dtls/programs.ts';

/** Packages that a device fetches from somebody else's server: libcoap's. */
const KEY = 'repositorykey';
const IDENTITY = 'meter';
/** 64 blocks and a bit. */
const IMAGE = Uint8Array.from({ length: 65_637 }, (_, at) => (at * 31 + (at >> 8)) & 0xff);
const handler = (): CoapReply => ({ code: 0x84 });

async function repository(
  t: TestContext,
  program: string,
  port: number,
  ...args: readonly string[]
): Promise<void> {
  const place = ['-v', '7', '-A', '127.0.0.1', '-p', String(port), '-d', '10'];
  const server = new RunningProgram(program, [...place, ...args]);
  t.after(() => server.end());
  await server.printed(args.length === 0 ? /created TCP +endpoint/ : /created TLS +endpoint/);
}

async function connect({ scheme, host, port }: CoapUri): Promise<RepositoryConnection> {
  const runtime = createNodeRuntime();
  const closed = (endpoint: RepositoryConnection['endpoint']) => async (): Promise<void> => {
    await endpoint.close();
    runtime.close();
  };
  if (scheme === 'coap+tcp') {
    const connection = await connectStream({ address: host, port });
    const endpoint = createCoapStreamEndpoint({ runtime, handler });
    return { endpoint, peer: endpoint.attach(connection), close: closed(endpoint) };
  }
  const channel = await UdpChannel.bind();
  if (scheme === 'coap') {
    const endpoint = createCoapEndpoint({ runtime, channel, handler });
    return { endpoint, peer: channel.peerAt(host, port), close: closed(endpoint) };
  }
  const dtls = createDtlsEndpoint({ channel, runtime });
  const endpoint = createCoapEndpoint({ runtime, channel: dtls, handler });
  const psk = createSoftwarePsk(IDENTITY, Buffer.from(KEY));
  return { endpoint, peer: await dtls.connect(host, port, { psk }), close: closed(endpoint) };
}

const download = createCoapDownload(connect);

/** Puts the image there as any client would, then fetches it as a device does. */
async function putAndFetch(uri: string): Promise<void> {
  const [, scheme = 'coap', host = '', port = '0'] = /^(\S+?):\/\/(\S+):(\d+)/.exec(uri) ?? [];
  const place = { scheme: scheme as CoapUri['scheme'], host, port: Number(port), path: [], query: [] };
  const repository = await connect(place);
  const { endpoint, peer } = repository;
  const { code } = await endpoint.request(peer, { method: 'PUT', path: '/meter.fw', payload: IMAGE });
  assert.equal(code, 0x41);
  await repository.close();
  assert.deepEqual(await download(uri, AbortSignal.timeout(20_000)), IMAGE);
  await assert.rejects(download(uri.replace('meter', 'other'), AbortSignal.timeout(20_000)), {
    code: 'LWM2M_DOWNLOAD_FAILED',
  });
}

for (const program of ['coap-server-openssl', 'coap-server-gnutls']) {
  describe(`a package from libcoap's ${program}`, { skip: skipWithout(program, 'stdbuf') }, () => {
    test('over coap', async (t) => {
      const port = await freePort();
      await repository(t, program, port);
      await putAndFetch(`coap://127.0.0.1:${port}/meter.fw`);
    });

    test('over coap+tcp', async (t) => {
      const port = await freePort();
      await repository(t, program, port);
      await putAndFetch(`coap+tcp://127.0.0.1:${port}/meter.fw`);
    });

    test('over coaps, with a pre-shared key', async (t) => {
      const port = await freePort();
      // Its port with security is the next one.
      await repository(t, program, port, '-k', KEY, '-h', 'hint');
      await putAndFetch(`coaps://127.0.0.1:${port + 1}/meter.fw`);
    });
  });
}
