import { createDtlsEndpoint, createSoftwarePsk, type RecordCipher } from '@sefleet/dtls';
import { createSeededRng } from '@sefleet/runtime/sim';
import { ManualRuntime, MemoryChannel } from './memory-path.ts';
import { PSK_IDENTITY, PSK_KEY } from './protocol.ts';

/**
 * Records of 64 bytes from one endpoint into another, no socket in between: microseconds for sealing and
 * opening one.
 */
const useFfi = process.argv[2] === 'ffi';
const rounds = Number(process.argv[3]);
const RECORDS = 50_000;

const recordCipher: RecordCipher | undefined = useFfi
  ? (await import('@sefleet/dtls/ffi')).createFfiRecordCipher()
  : undefined;
const runtime = new ManualRuntime(createSeededRng(1));
const paths = { client: new MemoryChannel('10.0.0.2'), server: new MemoryChannel('10.0.0.1') };
const psk = createSoftwarePsk(PSK_IDENTITY, PSK_KEY);
const cipher = recordCipher === undefined ? {} : { recordCipher };
const server = createDtlsEndpoint({
  channel: paths.server,
  runtime,
  connectionIdLength: 6,
  server: { pskFor: () => psk },
  ...cipher,
});
const client = createDtlsEndpoint({ channel: paths.client, runtime, connectionIdLength: 0, ...cipher });
let received = 0;
server.listen({ datagram: () => received++ });

function carry(): void {
  const [fromServer, fromClient] = [paths.client.peerAt('10.0.0.1', 1), paths.server.peerAt('10.0.0.2', 1)];
  for (const data of paths.client.outbox.splice(0)) paths.server.deliver(data, fromClient);
  for (const data of paths.server.outbox.splice(0)) paths.client.deliver(data, fromServer);
}

const connecting = client.connect('10.0.0.1', 1, { psk });
for (let i = 0; i < 6; i++) carry();
const peer = await connecting;
const data = new Uint8Array(64);
const micros: number[] = [];
for (let round = 0; round < rounds; round++) {
  const startedMs = performance.now();
  for (let i = 0; i < RECORDS; i++) {
    client.send(data, peer);
    if (i % 32 === 31) carry();
  }
  micros.push(((performance.now() - startedMs) / RECORDS) * 1000);
}
if (received < RECORDS) throw new RangeError(`only ${received} records came`);
process.send?.(micros);
process.exit(0);
