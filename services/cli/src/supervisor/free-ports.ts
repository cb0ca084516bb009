import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** For whom a port has to be free: callers over TCP, or devices, which may come by UDP or by TCP. */
export type PortUse = 'tcp' | 'device';

/**
 * Below the ports that the system gives to clients (32768 on Linux): a server that starts, or starts again,
 * finds that no connection of a neighbour has taken its port meanwhile.
 */
const LOW_PORTS = { first: 20_000, last: 32_768 } as const;
const TRIES = 256;

/** What this process has given out: a port that is free now may be meant for a service that only starts. */
const given = new Set<number>();

/** A port on which nobody listens now, and which this process gives out once. */
export async function freePort(use: PortUse): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(LOW_PORTS.first, LOW_PORTS.last);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port, use)) return port;
  }
  // A machine without free ports down there, or a very long run: the ports of the system are as good as any.
  given.clear();
  return systemPort();
}

async function isFree(port: number, use: PortUse): Promise<boolean> {
  return (await isFreeTcpPort(port)) && (use === 'tcp' || (await isFreeUdpPort(port)));
}

async function isFreeTcpPort(port: number): Promise<boolean> {
  const server = createServer();
  const failed = once(server, 'error').then(() => false);
  server.listen(port, '127.0.0.1');
  const free = await Promise.race([failed, once(server, 'listening').then(() => true)]);
  server.close();
  return free;
}

async function isFreeUdpPort(port: number): Promise<boolean> {
  const socket = createSocket('udp4');
  const failed = once(socket, 'error').then(() => false);
  socket.bind(port, '127.0.0.1');
  const free = await Promise.race([failed, once(socket, 'listening').then(() => true)]);
  socket.close();
  return free;
}

async function systemPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
