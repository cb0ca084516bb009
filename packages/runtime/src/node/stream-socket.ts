import { once } from 'node:events';
import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import {
  connect as connectTls,
  createServer as createTlsServer,
  TLSSocket,
  type SecureContextOptions,
} from 'node:tls';
import type { Peer, PeerIdentity } from '../datagram-channel.ts';
import type { StreamConnection, StreamHandlers, StreamListener } from '../stream-channel.ts';

/** Where a stream goes or is waited for. */
export interface StreamAddress {
  readonly address: string;
  readonly port: number;
}

/** Material of a TLS end, as `node:tls` takes it: PEM texts and protocol versions. */
export interface StreamTls {
  readonly authority?: string | Buffer;
  readonly certificate?: string | Buffer;
  readonly privateKey?: string | Buffer;
  /** Name that the server's certificate must carry; the address when absent. */
  readonly serverName?: string;
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** Protocols to agree on in the handshake (ALPN), such as `coap` (RFC 8323 §8.2). */
  readonly protocols?: readonly string[];
}

/** Limits of a listening socket. */
export interface StreamListenOptions extends StreamAddress {
  /** With it, clients must show a certificate of `authority`. */
  readonly tls?: StreamTls;
  /** Connections beyond it are closed at once. */
  readonly maxConnections?: number;
}

const MAX_CONNECTIONS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long a connection that is closed may take to bring its last bytes away. */
const LAST_WORDS_MS = 5_000;
let connectionCount = 0;

/** Opens a TCP connection, or a TLS one when `tls` is given; rejects with the system's error. */
export async function connectStream(target: StreamAddress, tls?: StreamTls): Promise<StreamConnection> {
  const socket =
    tls === undefined
      ? connectTcp({ host: target.address, port: target.port })
      : connectTls({ host: target.address, port: target.port, ...toTlsOptions(tls), ...serverName(tls) });
  await once(socket, tls === undefined ? 'connect' : 'secureConnect');
  return toConnection(socket);
}

/**
 * Waits for connections; rejects with the system's error (`EADDRINUSE`, ...) when the port cannot be taken.
 */
export async function listenStream(
  options: StreamListenOptions,
  accept: (connection: StreamConnection) => void,
): Promise<StreamListener> {
  const { tls } = options;
  const server: Server =
    tls === undefined
      ? createTcpServer({ noDelay: true })
      : createTlsServer({
          ...toTlsOptions(tls),
          requestCert: tls.authority !== undefined,
          rejectUnauthorized: true,
          handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        });
  const open = new Set<Socket>();
  server.maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    open.add(socket);
    // Until somebody listens: an error of a client must not end the process. `close` follows it.
    socket.on('error', () => {});
    socket.once('close', () => open.delete(socket));
    accept(toConnection(socket));
  });
  // A client that fails its handshake is that client's problem; the socket is closed by then.
  server.on('tlsClientError', () => {});
  const listening = once(server, 'listening');
  server.listen(options.port, options.address);
  await listening;
  return {
    localAddress: () => {
      const bound = server.address();
      return typeof bound === 'object' && bound !== null
        ? { address: bound.address, port: bound.port }
        : { address: options.address, port: options.port };
    },
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

function toTlsOptions(tls: StreamTls): SecureContextOptions & { ALPNProtocols?: string[] } {
  return {
    minVersion: tls.minVersion ?? 'TLSv1.2',
    ...(tls.protocols === undefined ? {} : { ALPNProtocols: [...tls.protocols] }),
    ...(tls.authority === undefined ? {} : { ca: tls.authority }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.privateKey === undefined ? {} : { key: tls.privateKey }),
  };
}

function serverName(tls: StreamTls): { servername?: string } {
  return tls.serverName === undefined ? {} : { servername: tls.serverName };
}

function toConnection(socket: Socket): StreamConnection {
  socket.setNoDelay(true);
  const address = socket.remoteAddress ?? '';
  return toStreamConnection(socket, { address, port: socket.remotePort ?? 0, identity: identityOf(socket) });
}

/**
 * A socket that somebody else opened as a connection.
 *
 * @param peerFacts where the other end is and what the socket has proven about it
 */
export function toStreamConnection(socket: Socket, peerFacts: Omit<Peer, 'key'>): StreamConnection {
  const peer: Peer = { key: `stream-${++connectionCount}`, ...peerFacts };
  return {
    peer,
    listen: (handlers) => attach(socket, handlers),
    write: (data) => !socket.destroyed && socket.write(data.slice()),
    writable: () => untilWritable(socket),
    close: () => {
      socket.end();
      socket.destroySoon();
      // What is still to be written waits for a peer that may never read it.
      if (!socket.destroyed) setTimeout(() => socket.destroy(), LAST_WORDS_MS).unref();
    },
  };
}

function attach(socket: Socket, handlers: StreamHandlers): void {
  let failure: Error | undefined;
  socket.on('data', (data: Buffer) => handlers.data(data));
  socket.on('error', (error) => {
    failure = error;
  });
  if (socket.closed) queueMicrotask(() => handlers.closed());
  else socket.once('close', () => handlers.closed(failure));
}

function untilWritable(socket: Socket): Promise<void> {
  if (socket.destroyed || !socket.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      socket.removeListener('drain', done);
      socket.removeListener('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

/** What TLS has proven: the certificate's common name and chain; nothing on plain TCP. */
function identityOf(socket: Socket): PeerIdentity {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return { kind: 'none' };
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { kind: 'none' };
  const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? '';
  return { kind: 'x509', commonName, chain: [new Uint8Array(certificate.raw)] };
}
