import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { createSecureContext, TLSSocket } from 'node:tls';
import { constants, type X509Certificate } from 'node:crypto';
import type { PeerIdentity, StreamConnection, StreamListener } from '@sefleet/runtime';
import { toStreamConnection } from '@sefleet/runtime/node';
import type { TlsFiles } from '@sefleet/service';
import { HeldSocket } from './held-socket.ts';

/** Who may come through a {@link openTlsDoor}. */
export interface TlsDoorOptions {
  readonly address: string;
  readonly port: number;
  readonly tls: TlsFiles;
  /** The key of an identity; undefined for an unknown one. */
  readonly secretFor: (identity: string) => Promise<Uint8Array | undefined>;
  /** Rejects when the chain (DER, the peer's own first) is not let through. */
  readonly checkChain: (chain: readonly Uint8Array[]) => Promise<void>;
  readonly accept: (connection: StreamConnection) => void;
  /** Told of a connection that was not let through, with a reason for counters. */
  readonly refused: (reason: 'handshake' | 'timeout' | 'certificate' | 'noCredential') => void;
}

/**
 * Those of TLS 1.3 are for SHA-256, the hash of a pre-shared key that says nothing else (RFC 8446 §4.2.11).
 * RFC 8323 §9 with RFC 7252 §9: the CCM_8 suites are the mandatory ones; OpenSSL counts their short tag as
 * below its first level of security, so that the suites are named one by one instead.
 */
const SUITES = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_CCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES128-CCM',
  'ECDHE-ECDSA-AES128-CCM8',
  'ECDHE-PSK-AES128-CBC-SHA256',
  'PSK-AES128-GCM-SHA256',
  'PSK-AES128-CCM',
  'PSK-AES128-CCM8',
  '@SECLEVEL=0',
].join(':');
const SIGNATURES = 'ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA256';
const MAX_CONNECTIONS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const CHAIN_MAX = 8;

/**
 * Waits for TLS connections of devices (RFC 8323 §9) that prove themselves with a pre-shared key or a
 * certificate of whatever authority `checkChain` takes. Raw public keys (RFC 7250) are not here: `node:tls`
 * has no way to ask for them.
 *
 * Rejects with the system's error when the port cannot be taken.
 */
export async function openTlsDoor(options: TlsDoorOptions): Promise<StreamListener> {
  const { tls } = options;
  const secureContext = createSecureContext({
    cert: tls.certificate,
    key: tls.privateKey,
    minVersion: 'TLSv1.2',
    ciphers: SUITES,
    sigalgs: SIGNATURES,
    // OpenSSL wants one from a server that asks for certificates. Sessions are not resumed.
    sessionIdContext: 'sefleet-lwm2m',
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    new Arrival(socket, secureContext, options).begin();
  });
  server.maxConnections = MAX_CONNECTIONS;
  const listening = once(server, 'listening');
  server.listen(options.port, options.address);
  await listening;
  return {
    localAddress: () => addressOf(server, options),
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** One connection until it is let through or refused. */
class Arrival {
  readonly #options: TlsDoorOptions;
  readonly #secrets = new Map<string, Uint8Array>();
  readonly #from: { readonly address: string; readonly port: number };
  readonly #socket: TLSSocket;
  /** The identity whose key TLS was given. */
  #identity: string | undefined;
  #over = false;

  constructor(
    socket: Socket,
    secureContext: ReturnType<typeof createSecureContext>,
    options: TlsDoorOptions,
  ) {
    this.#options = options;
    this.#from = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const held = new HeldSocket(socket, (identity) => this.#find(identity));
    const settings = {
      isServer: true,
      requestCert: true,
      // Judged below: authorities of devices' owners are known to provisioning alone.
      rejectUnauthorized: false,
      secureContext,
      pskCallback: (_socket: TLSSocket, identity: string) => this.#secretOf(identity),
    };
    this.#socket = new TLSSocket(held, settings);
  }

  begin(): void {
    const timer = setTimeout(() => this.#refuse('timeout'), HANDSHAKE_TIMEOUT_MS);
    this.#socket.on('error', () => this.#refuse('handshake'));
    this.#socket.on('close', () => {
      clearTimeout(timer);
      this.#refuse('handshake');
    });
    this.#socket.on('secure', () => {
      clearTimeout(timer);
      void this.#judge();
    });
  }

  async #judge(): Promise<void> {
    const identity = this.#proven();
    if (identity.kind === 'none') {
      this.#refuse('noCredential');
      return;
    }
    try {
      if (identity.kind === 'x509') await this.#options.checkChain(identity.chain);
    } catch {
      this.#refuse('certificate');
      return;
    }
    if (this.#over) return;
    this.#over = true;
    this.#options.accept(toStreamConnection(this.#socket, { ...this.#from, identity }));
  }

  #proven(): PeerIdentity {
    const certificate = this.#socket.getPeerX509Certificate();
    if (certificate !== undefined) {
      const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
      return { kind: 'x509', commonName, chain: chainOf(certificate) };
    }
    const identity = this.#identity;
    return identity === undefined || !this.#isKeyUsed() ? { kind: 'none' } : { kind: 'psk', identity };
  }

  /** That TLS was given a key does not say that the handshake was made with it (RFC 8446 §4.2.11). */
  #isKeyUsed(): boolean {
    // Of sessions there are no others to be taken up again.
    if (this.#socket.getProtocol() === 'TLSv1.3') return this.#socket.isSessionReused();
    return this.#socket.getCipher().name.includes('PSK');
  }

  async #find(identity: string): Promise<void> {
    const secret = await this.#options.secretFor(identity);
    if (secret !== undefined) this.#secrets.set(identity, secret);
  }

  /** Called by TLS: what comes of the handshake shows whether the peer has this key. */
  #secretOf(identity: string): Uint8Array | null {
    const secret = this.#secrets.get(identity);
    if (secret === undefined) return null;
    this.#identity = identity;
    return secret;
  }

  #refuse(reason: Parameters<TlsDoorOptions['refused']>[0]): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.refused(reason);
    this.#socket.destroy();
  }
}

function chainOf(own: X509Certificate): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  let next: X509Certificate | undefined = own;
  while (next !== undefined && chain.length < CHAIN_MAX) {
    chain.push(new Uint8Array(next.raw));
    const issuer: X509Certificate | undefined = next.issuerCertificate;
    // A root is its own issuer.
    next = issuer?.raw.equals(next.raw) === true ? undefined : issuer;
  }
  return chain;
}

function addressOf(server: Server, { address, port }: TlsDoorOptions): { address: string; port: number } {
  const bound = server.address();
  return typeof bound === 'object' && bound !== null
    ? { address: bound.address, port: bound.port }
    : { address, port };
}
