import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import mqttPacket, { type Packet } from 'mqtt-packet';
import { createEventLog } from '@sefleet/observability';
import { MqttSource } from './mqtt-source.ts';

const nothing = Buffer.alloc(0);
const tls = { authority: nothing, certificate: nothing, privateKey: nothing };
const log = createEventLog({ service: 'test', level: 'silent' });

/** A broker that does what the script says, packet by packet. */
class ScriptedBroker {
  readonly #server = createServer((socket) => this.#accept(socket));
  readonly #packets: Packet[] = [];
  #waiting: ((packet: Packet) => void) | undefined;
  #socket: Socket | undefined;

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `mqtt://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  send(packet: Packet): void {
    this.#socket?.write(mqttPacket.generate(packet, { protocolVersion: 5 }));
  }
  next(): Promise<Packet> {
    const packet = this.#packets.shift();
    return packet === undefined
      ? new Promise((resolve) => (this.#waiting = resolve))
      : Promise.resolve(packet);
  }
  drop(): void {
    this.#socket?.destroy();
  }
  async welcome(): Promise<Packet> {
    const connect = await this.next();
    this.send({ cmd: 'connack', reasonCode: 0, sessionPresent: false });
    assert.equal((await this.next()).cmd, 'subscribe');
    this.send({ cmd: 'suback', messageId: 1, granted: [1] });
    return connect;
  }
  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
  #accept(socket: Socket): void {
    this.#socket = socket;
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', (packet) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (waiting === undefined) this.#packets.push(packet);
      else waiting(packet);
    });
    socket.on('data', (data: Buffer) => parser.parse(data));
    socket.on('error', () => {});
  }
}

const publish = (messageId: number, text: string): Packet => ({
  cmd: 'publish',
  topic: 'sefleet/v1/obu/a/records',
  payload: Buffer.from(text),
  qos: 1,
  messageId,
  dup: false,
  retain: false,
});

test('keeps a session, acknowledges when it is told to, and not before', async () => {
  const broker = new ScriptedBroker();
  const source = new MqttSource({ url: await broker.listen(), tls, log, maxPacketBytes: 100_000 });
  const connect = await broker.welcome();
  assert.equal(connect.cmd === 'connect' && connect.clean, false);
  assert.equal(connect.cmd === 'connect' && connect.properties?.receiveMaximum, 8192);
  for (const id of [11, 12, 13]) broker.send(publish(id, `message ${id}`));
  const messages = [...(await source.read(2, 5000))];
  while (messages.length < 2) messages.push(...(await source.read(2 - messages.length, 5000)));
  await source.acknowledge(messages.slice(1));
  const acknowledged = await broker.next();
  assert.equal(acknowledged.cmd === 'puback' && acknowledged.messageId, 12);
  await source.close();
  assert.equal((await broker.next()).cmd, 'disconnect');
  broker.close();
});

test('connects again, and never acknowledges on one connection what came over another', async () => {
  const broker = new ScriptedBroker();
  const source = new MqttSource({ url: await broker.listen(), tls, log, maxPacketBytes: 100_000 });
  await broker.welcome();
  broker.send(publish(7, 'old'));
  const old = await source.read(1, 5000);
  assert.equal(old.length, 1);
  broker.drop();
  await broker.welcome();
  await source.acknowledge(old);
  broker.send(publish(8, 'new'));
  await source.acknowledge(await source.read(1, 5000));
  const acknowledged = await broker.next();
  assert.equal(acknowledged.cmd === 'puback' && acknowledged.messageId, 8);
  await source.close();
  broker.close();
});
