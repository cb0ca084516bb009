import type { TestContext } from 'node:test';
import type { Peer } from '@sefleet/runtime';
import {
  createDtlsEndpoint,
  createX509Trust,
  type DtlsEndpointOptions,
  type HandshakeFailureReport,
} from '@sefleet/dtls';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { PSK, PSK_IDENTITY, type Credentials } from './credentials.ts';
import type { Impairment } from './impaired-path.ts';

/** An endpoint of ours that echoes, for programs to be clients of. */
export async function startOurServer(
  t: TestContext,
  credentials: Credentials,
  impairment: Impairment,
  options: Partial<DtlsEndpointOptions> = {},
) {
  const runtime = createNodeRuntime();
  const failures: HandshakeFailureReport[] = [];
  const established: Peer[] = [];
  const received: string[] = [];
  const trust = {
    x509: createX509Trust({ anchors: [credentials.der('ca.pem')], clock: runtime.clock }),
    rawPublicKey: () => true,
  };
  const signingKey = credentials.signingKey('server');
  const endpoint = createDtlsEndpoint({
    channel: await UdpChannel.bind(),
    runtime,
    connectionIdLength: 6,
    flightTimers: { initialTimeoutMs: 300 },
    ...(impairment.mtu === undefined ? {} : { mtu: impairment.mtu }),
    ...options,
    server: {
      pskFor: (identity) => (identity === PSK_IDENTITY ? PSK : undefined),
      signingKeyFor: () => signingKey,
      trust,
      ...options.server,
    },
    events: {
      sessionEstablished: (peer) => established.push(peer),
      handshakeFailed: (failure) => failures.push(failure),
    },
  });
  endpoint.listen({
    datagram: (data, peer) => {
      received.push(Buffer.from(data).toString('latin1'));
      endpoint.send(data, peer);
    },
  });
  t.after(async () => {
    await endpoint.close();
    runtime.close();
  });
  return { endpoint, port: endpoint.localAddress().port, failures, established, received };
}

/** An endpoint of ours to be a client with. */
export async function startOurClient(
  t: TestContext,
  impairment: Impairment,
  options: Partial<DtlsEndpointOptions> = {},
) {
  const runtime = createNodeRuntime();
  const received: string[] = [];
  const endpoint = createDtlsEndpoint({
    channel: await UdpChannel.bind(),
    runtime,
    connectionIdLength: 0,
    flightTimers: { initialTimeoutMs: 300 },
    ...(impairment.mtu === undefined ? {} : { mtu: impairment.mtu }),
    ...options,
  });
  endpoint.listen({ datagram: (data) => received.push(Buffer.from(data).toString('latin1')) });
  t.after(async () => {
    await endpoint.close();
    runtime.close();
  });
  return { endpoint, received, clock: runtime.clock };
}

/**
 * Runs `again` until `done` holds: datagrams are lost on impaired paths, and nothing but their sender repeats
 * them.
 */
export async function repeatUntil(
  done: () => boolean,
  again: () => void,
  timeoutMs = 15_000,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!done()) {
    if (Date.now() > deadline) return false;
    again();
    for (let i = 0; i < 10 && !done(); i++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
  }
  return true;
}
