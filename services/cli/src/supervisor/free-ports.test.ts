import { equal, ok } from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { freePort } from './free-ports.ts';

test('ports are given out once, and none that clients of the system get', async () => {
  const ports = await Promise.all(Array.from({ length: 200 }, (_, i) => freePort(i % 2 ? 'tcp' : 'device')));
  equal(new Set(ports).size, ports.length);
  ok(ports.every((port) => port >= 20_000 && port < 32_768));
});

test('a device port is free for UDP and for TCP', async () => {
  const port = await freePort('device');
  const server = createServer().listen(port, '127.0.0.1');
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(socket, 'listening')]);
  server.close();
  socket.close();
});
