/** LwM2M over coap+tcp and coaps+tcp (Transport bindings 1.1 §6.6), our client against our server. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE } from '@sefleet/coap';
import { Lwm2mPath, type Lwm2mValue } from '@sefleet/lwm2m';
import { createRootAuthority, issueCertificate, type Credential } from '@sefleet/pki';
import type { StreamTls } from '@sefleet/runtime/node';
import { ENDPOINT, TcpWorld, until, type TcpSecurity } from './tcp-world.ts';

const DAY_MS = 86_400_000;
const validity = { notBefore: new Date(Date.now() - DAY_MS), notAfter: new Date(Date.now() + DAY_MS) };
const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);

async function secured(commonName = ENDPOINT): Promise<TcpSecurity> {
  const root = await createRootAuthority('test authority', validity.notBefore, validity.notAfter);
  const server = await issueCertificate(root, {
    commonName: 'lwm2m-server',
    serverAuth: true,
    subjectAlternativeNames: ['localhost'],
    ...validity,
  });
  const device = await issueCertificate(root, { commonName, clientAuth: true, ...validity });
  return { server: tls(root, server), device: { ...tls(root, device), serverName: 'localhost' } };
}

function tls(root: Credential, own: Credential): StreamTls {
  return {
    authority: root.certificatePem,
    certificate: own.certificatePem,
    privateKey: own.privateKeyPem,
    protocols: ['coap'],
  };
}

async function within(open: Promise<TcpWorld>, run: (world: TcpWorld) => Promise<void>): Promise<void> {
  const world = await open;
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

const TRANSPORTS: readonly (readonly [string, () => Promise<TcpWorld>])[] = [
  ['coap+tcp', () => TcpWorld.open()],
  ['coaps+tcp', async () => TcpWorld.open(await secured())],
];

for (const [name, open] of TRANSPORTS) {
  test(`${name}: registers, updates and de-registers`, () =>
    within(open(), async ({ client, server }) => {
      await client.start();
      const { registration } = server.device(ENDPOINT);
      assert.equal(registration.binding, 'T');
      assert.match(registration.announcement.links, /<\/3303\/0>/);
      const before = registration.updatedAtMs;
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
      client.update();
      await until('the update', () => server.device(ENDPOINT).registration.updatedAtMs > before);
      await client.stop();
      await until('the end of the registration', () => server.size === 0);
    }));

  test(`${name}: reads, writes, executes, discovers and reads several at once`, () =>
    within(open(), async (world) => {
      await world.client.start();
      const device = world.server.device(ENDPOINT);
      const value = async (at: string): Promise<Lwm2mValue | null | undefined> =>
        (await device.read(path(at))).entries[0]?.value;
      assert.equal(await value('/3303/0/5700'), 20.5);
      assert.equal((await device.read(path('/3303/0/9'))).code, CODE.NOT_FOUND);
      const lifetime = [{ path: path('/1/0/1'), value: 400 }];
      assert.equal((await device.write(path('/1/0/1'), lifetime, 'replace')).code, CODE.CHANGED);
      assert.equal(await value('/1/0/1'), 400);
      assert.equal((await device.execute(path('/3/0/4'))).code, CODE.CHANGED);
      assert.equal(world.reboots, 1);
      const composite = await device.readComposite([path('/3303/0/5700'), path('/3/0/0')]);
      assert.equal(composite.entries.length, 2);
      const discovered = await device.discover(path('/3303'));
      assert.equal(discovered.code, CODE.CONTENT);
    }));

  test(`${name}: a value of 200,000 bytes goes both ways`, () =>
    within(open(), async ({ client, server, tree }) => {
      await client.start();
      const device = server.device(ENDPOINT);
      const large = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 13) & 0xff);
      const written = await device.writeOpaque(path('/19/0/0/0'), large);
      assert.equal(written.code, CODE.CHANGED);
      const stored = tree.value(path('/19/0/0/0'));
      assert.ok(stored instanceof Uint8Array);
      assert.equal(Buffer.compare(stored, large), 0);
      const { entries } = await device.read(path('/19/0/0/0'));
      assert.deepEqual(entries[0]?.value, large);
    }));

  test(`${name}: observes and reports by Send`, () =>
    within(open(), async ({ client, server, tree, notified, sent }) => {
      await client.start();
      const device = server.device(ENDPOINT);
      assert.equal((await device.observe([path('/3303/0/5700')])).code, CODE.CONTENT);
      for (const value of [21, 22, 23]) {
        tree.instance(3303, 0)?.set(5700, value);
        await until(`the notification of ${value}`, () => notified.at(-1)?.value === value);
      }
      await client.send([path('/3303/0/5700')]);
      assert.equal(sent.at(-1)?.value, 23);
    }));

  test(`${name}: a connection that the server closes is opened again`, () =>
    within(open(), async (world) => {
      const { client, server, accepted } = world;
      await client.start();
      accepted.at(-1)?.close();
      await until('the loss', () => world.lost === 1);
      await until('another connection', () => accepted.length === 2);
      await until('the registration', () => world.confirmed === 2);
      const { entries } = await server.device(ENDPOINT).read(path('/3303/0/5700'));
      assert.equal(entries[0]?.value, 20.5);
    }));
}

test('coaps+tcp: a certificate of another name registers nobody', () =>
  within(
    secured('urn:dev:sefleet:other').then((security) => TcpWorld.open(security)),
    async (world) => {
      world.client.start().catch(() => undefined);
      await until('the refusal', () => world.refused > 0);
      assert.equal(world.accepted.length, 1);
      assert.equal(world.server.size, 0);
    },
  ));

test('coaps+tcp: a device without a certificate gets no connection', async () => {
  const { server, device } = await secured();
  const { authority = '', serverName = '' } = device;
  await within(TcpWorld.open({ server, device: { authority, serverName } }), async (world) => {
    world.client.start().catch(() => undefined);
    await until('the refusal', () => world.refused > 0 || world.lost > 0);
    assert.equal(world.accepted.length, 0);
    assert.equal(world.server.size, 0);
  });
});
