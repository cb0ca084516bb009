import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  createDtlsEndpoint,
  createSoftwarePsk,
  createSoftwareSigningKey,
  createX509Trust,
  type DtlsClientSettings,
  type DtlsEndpoint,
} from '@sefleet/dtls';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { dtls } from 'node-dtls-client';
import { PSK_IDENTITY, PSK_KEY, type ClientOrder, type HandshakeRound } from './protocol.ts';

/**
 * The client of the DTLS benchmarks: either handshakes as fast as they go, or a fleet that moves to new
 * addresses.
 */
const order: ClientOrder = JSON.parse(process.argv[2] ?? '{}');
const runtime = createNodeRuntime();
const settings = settingsOf(order);

function settingsOf({ kind, credentials }: ClientOrder): DtlsClientSettings {
  if (kind === 'psk') {
    const cipherSuites = ['TLS_PSK_WITH_AES_128_CCM_8'] as const;
    return { cipherSuites, psk: createSoftwarePsk(PSK_IDENTITY, PSK_KEY) };
  }
  const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;
  return {
    cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'],
    signingKey: createSoftwareSigningKey({
      privateKey: createPrivateKey(credentials.client.privateKeyPem),
      certificateChain: [der(credentials.client.certificatePem)],
    }),
    trust: { x509: createX509Trust({ anchors: [der(credentials.authority)], clock: runtime.clock }) },
    serverName: 'localhost',
  };
}

async function open(address = '127.0.0.1'): Promise<DtlsEndpoint> {
  return createDtlsEndpoint({ channel: await UdpChannel.bind({ address }), runtime, connectionIdLength: 0 });
}

/** One handshake after the other on each of `size` sockets, for a time. */
async function handshakes(): Promise<HandshakeRound[]> {
  const attempt = order.subject === 'sefleet' ? await oursOnSockets() : theirs;
  const rounds: HandshakeRound[] = [];
  for (let round = 0; round < order.rounds; round++) {
    const micros: number[] = [];
    let failed = 0;
    const cpuBefore = process.cpuUsage();
    const startedMs = performance.now();
    const untilMs = startedMs + order.seconds * 1000;
    const lane = async (index: number): Promise<void> => {
      while (performance.now() < untilMs) {
        const beganMs = performance.now();
        try {
          const close = await attempt(index);
          micros.push((performance.now() - beganMs) * 1000);
          close();
        } catch {
          failed++;
        }
      }
    };
    await Promise.all(Array.from({ length: order.size }, (_, index) => lane(index)));
    const seconds = (performance.now() - startedMs) / 1000;
    const { user, system } = process.cpuUsage(cpuBefore);
    micros.sort((a, b) => a - b);
    const at = (share: number): number => Math.round(micros[Math.floor(micros.length * share)] ?? 0);
    const cpuSeconds = (user + system) / 1e6;
    rounds.push({ handshakes: micros.length, failed, seconds, cpuSeconds, p50: at(0.5), p99: at(0.99) });
  }
  return rounds;
}

async function oursOnSockets() {
  const endpoints = await Promise.all(Array.from({ length: order.size }, () => open()));
  return async (index: number): Promise<() => void> => {
    const endpoint = endpoints[index] ?? (await open());
    const peer = await endpoint.connect('127.0.0.1', order.port, settings);
    return () => endpoint.closePeer(peer);
  };
}

function theirs(): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const socket = dtls.createSocket({
      type: 'udp4',
      address: '127.0.0.1',
      port: order.port,
      psk: { [PSK_IDENTITY]: Buffer.from(PSK_KEY).toString('latin1') },
      ciphers: ['TLS_PSK_WITH_AES_128_CCM_8'],
    });
    socket.on('connected', () => resolve(() => socket.close()));
    socket.on('error', reject);
  });
}

/** Sessions made one by one and set aside, then each brought back from another address to say one word. */
async function fleet(): Promise<{ sessions: number; survived: number }> {
  const states: Uint8Array[] = [];
  const lane = async (first: number, step: number): Promise<void> => {
    for (let i = first; i < order.size; i += step) {
      const endpoint = await open(addressOf(i));
      // Each device has its own identity: one that comes back from a reused port would replace its session.
      const psk = createSoftwarePsk(`${PSK_IDENTITY}-${i}`, PSK_KEY);
      await endpoint.connect('127.0.0.1', order.port, { ...settings, psk });
      states[i] = endpoint.exportSessions();
      await endpoint.close();
    }
  };
  await Promise.all(Array.from({ length: 32 }, (_, index) => lane(index, 32)));
  process.send?.({ ready: states.length });
  await new Promise((resolve) => process.once('message', resolve));
  let survived = 0;
  const mover = async (first: number, step: number): Promise<void> => {
    for (let i = first; i < order.size; i += step) {
      if (await speaksFrom(addressOf(i + 1), states[i] ?? new Uint8Array(0))) survived++;
    }
  };
  await Promise.all(Array.from({ length: 32 }, (_, index) => mover(index, 32)));
  return { sessions: states.length, survived };
}

/** Ephemeral ports are few: the fleet lives on many loopback addresses. */
function addressOf(index: number): string {
  return `127.0.1.${1 + (index % 200)}`;
}

async function speaksFrom(address: string, state: Uint8Array): Promise<boolean> {
  const endpoint = await open(address);
  const [peer] = endpoint.importSessions(state);
  const answered = new Promise<boolean>((resolve) => {
    endpoint.listen({ datagram: () => resolve(true) });
    runtime.timers.after(2000, () => resolve(false));
  });
  if (peer !== undefined) endpoint.send(Buffer.from('moved'), peer);
  const survived = await answered;
  endpoint.exportSessions();
  await endpoint.close();
  return survived;
}

process.send?.(order.job === 'handshakes' ? await handshakes() : await fleet());
process.exit(0);
