import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  createDtlsEndpoint,
  createSoftwarePsk,
  createSoftwareSigningKey,
  createX509Trust,
  type DtlsEndpoint,
} from '@sefleet/dtls';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import {
  PSK_IDENTITY,
  PSK_KEY,
  type Credentials,
  type ServerReport,
  type TransferReport,
} from './protocol.ts';

/** The server of the DTLS benchmarks: answers handshakes, echoes, and reports when asked. */
const credentials: Credentials = JSON.parse(process.argv[2] ?? '{}');
const runtime = createNodeRuntime();
const psk = createSoftwarePsk(PSK_IDENTITY, PSK_KEY);
const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;
const signingKey = createSoftwareSigningKey({
  privateKey: createPrivateKey(credentials.server.privateKeyPem),
  certificateChain: [der(credentials.server.certificatePem)],
});
const trust = { x509: createX509Trust({ anchors: [der(credentials.authority)], clock: runtime.clock }) };

async function open(port: number): Promise<DtlsEndpoint> {
  const endpoint = createDtlsEndpoint({
    channel: await UdpChannel.bind({ port, receiveBufferBytes: 8 * 1_048_576 }),
    runtime,
    connectionIdLength: 6,
    server: {
      pskFor: (identity) => (identity.startsWith(PSK_IDENTITY) ? psk : undefined),
      signingKeyFor: () => signingKey,
      clientAuthentication: 'required',
      trust,
    },
  });
  endpoint.listen({ datagram: (data, peer) => endpoint.send(data, peer) });
  return endpoint;
}

let endpoint = await open(0);
const { port } = endpoint.localAddress();

function report(): ServerReport {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const counters = endpoint.counters();
  return {
    cpuSeconds: (user + system) / 1e6,
    sessions: endpoint.sessionCount,
    handshakes: counters['handshakes.completed'] ?? 0,
    addressChanges: counters['addressChanges'] ?? 0,
    received: counters['received'] ?? 0,
    heapBytes: heapUsed,
    externalBytes: external,
    rssBytes: rss,
  };
}

/** A restart as far as DTLS sees it: out of one endpoint, into a new one on the same port. */
async function transfer(): Promise<TransferReport> {
  const startedMs = performance.now();
  const exported = endpoint.exportSessions();
  const exportMs = performance.now() - startedMs;
  await endpoint.close();
  endpoint = await open(port);
  const importedMs = performance.now();
  const sessions = endpoint.importSessions(exported).length;
  return { sessions, milliseconds: exportMs + performance.now() - importedMs, bytes: exported.length };
}

process.on('message', (order) => {
  if (order === 'report') process.send?.(report());
  else if (order === 'transfer') void transfer().then((done) => process.send?.(done));
  else process.exit(0);
});
process.send?.({ port });
