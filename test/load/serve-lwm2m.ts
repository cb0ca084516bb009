/**
 * Our management server and nothing else, in a process of its own, with the commands of LoadPeer.java: what a
 * library-level Leshan server is compared with. `node test/load/serve-lwm2m.ts <coaps port> <key>`
 */
import { createInterface } from 'node:readline';
import { createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk } from '@sefleet/dtls';
import { Lwm2mPath, omaModels } from '@sefleet/lwm2m';
import { createLwm2mServer } from '@sefleet/lwm2m-coap';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';

const [, , port = '', key = ''] = process.argv;
const count = { registered: 0, updated: 0, notified: 0 };
const runtime = createNodeRuntime();
const server = createLwm2mServer({
  runtime,
  models: omaModels(),
  authoriser: {
    authorise: ({ identity }, endpoint) =>
      identity.kind === 'psk' ? { endpoint: endpoint ?? identity.identity } : undefined,
  },
  consumer: { send: () => ({ kind: 'accepted' }), notification: () => void count.notified++ },
  events: { registered: () => void count.registered++, updated: () => void count.updated++ },
});
const udp = await UdpChannel.bind({ address: '127.0.0.1', port: Number(port), maxQueued: 65_536 });
const secret = Buffer.from(key);
const channel = createDtlsEndpoint({
  channel: udp,
  runtime,
  server: { pskFor: (identity) => createSoftwarePsk(identity, secret) },
});
server.listen((handler) => createCoapEndpoint({ runtime, channel, handler }));
console.log('ready');

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'observe') console.log(`observed ${await observe()}`);
  else if (line === 'count') console.log(`count ${count.registered} ${count.updated} ${count.notified}`);
  else break;
}
process.exit(0);

async function observe(): Promise<number> {
  const devices = [...server.devices()];
  let done = 0;
  const worker = async (): Promise<void> => {
    for (let device = devices.pop(); device !== undefined; device = devices.pop()) {
      const { success } = await device.observe([Lwm2mPath.parse('/6/0/0')]);
      if (success) done++;
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  return done;
}
