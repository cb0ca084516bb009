import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { createDtlsEndpoint, createSoftwarePsk } from './index.ts';

test('the example of the README runs, and is the one below', async () => {
  // <example>
  const runtime = createNodeRuntime();
  const psk = createSoftwarePsk('meter-1', Buffer.from('00112233445566778899aabbccddeeff', 'hex'));

  const server = createDtlsEndpoint({
    channel: await UdpChannel.bind({ port: 0 }),
    runtime,
    connectionIdLength: 6,
    server: { pskFor: (identity) => (identity === psk.identity ? psk : undefined) },
    events: { handshakeFailed: ({ reason, address }) => console.error(`${address}: ${reason}`) },
  });
  server.listen({ datagram: (data, peer) => server.send(data, peer) });

  const client = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime, connectionIdLength: 0 });
  const echo = new Promise<string>((resolve) => {
    client.listen({ datagram: (data) => resolve(Buffer.from(data).toString()) });
  });
  const { address, port } = server.localAddress();
  const peer = await client.connect(address, port, { psk });
  client.send(Buffer.from('hello'), peer);
  console.log(await echo, client.sessionInfo(peer)?.cipherSuite);

  await client.close();
  await server.close();
  runtime.close();
  // </example>

  const lines = (text: string): string[] => text.split('\n').map((line) => line.trim());
  const here = readFileSync(new URL(import.meta.url), 'utf8');
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, example = 'none'] = /\/\/ <example>\n([\s\S]*?)\/\/ <\/example>/.exec(here) ?? [];
  assert.ok(lines(readme).join('\n').includes(lines(example).join('\n').trim()));
});
