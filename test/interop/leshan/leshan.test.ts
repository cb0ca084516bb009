/** Our device against Leshan's server, Leshan's client against our servers; over DTLS. */
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { createCoapEndpoint } from '@sefleet/coap';
import { createDtlsEndpoint, createSoftwarePsk, createSoftwareSigningKey } from '@sefleet/dtls';
import type { DtlsClientSettings } from '@sefleet/dtls';
import {
  defineObject,
  enablerObjects,
  firmwareDefaults,
  firmwareUpdateObject,
  Lwm2mPath,
  ObjectTree,
  omaModels,
} from '@sefleet/lwm2m';
import type { FirmwareHooks, Lwm2mEntry } from '@sefleet/lwm2m';
import {
  accountWrites,
  createBootstrapServer,
  createLwm2mClient,
  createLwm2mServer,
} from '@sefleet/lwm2m-coap';
import type { Lwm2mClient, Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { buildLeshan, JavaPeer } from './java-peer.ts';

const models = omaModels();
const runtime = createNodeRuntime();
const KEY = Uint8Array.from(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'));
const HEX = Buffer.from(KEY).toString('hex');
const missing = buildLeshan();
/** Each test tells by itself why it was left out. */
const options = missing === undefined ? {} : { skip: missing };
after(() => runtime.close());

/** Real sockets; `keysOf` says how the device authenticates. */
function transportWith(keysOf: (identity: string) => DtlsClientSettings): Lwm2mTransport {
  return {
    async connect({ account, handler, lost, endpointName }) {
      const url = new URL(account.uri);
      const channel = await UdpChannel.bind({ address: '127.0.0.1' });
      const events = { sessionClosed: (_peer: unknown, reason: string) => lost(reason) };
      const dtls = createDtlsEndpoint({ channel, runtime, events });
      const endpoint = createCoapEndpoint({ channel: dtls, runtime, handler });
      const peer = await dtls.connect(url.hostname, Number(url.port), keysOf(endpointName));
      return { endpoint, peer, close: () => endpoint.close() };
    },
  };
}

const psk = (identity: string): DtlsClientSettings => ({ psk: createSoftwarePsk(identity, KEY) });

const hooks: FirmwareHooks<unknown> = {
  protocols: [0],
  packageBytesMax: 100_000,
  verify: () => ({ accepted: true }),
  apply: () => Promise.resolve(true),
};

function createDevice(
  endpointName: string,
  uri: string,
  keysOf: (identity: string) => DtlsClientSettings,
): { client: Lwm2mClient; tree: ObjectTree } {
  const tree = new ObjectTree<unknown>(
    [
      ...enablerObjects<unknown>(models).filter(({ model }) => model.id > 2),
      ...[0, 1].map((id) => defineObject<unknown>(models, id, id === 1 ? { supports: [4, 8, 9] } : {})),
      defineObject(models, 2, { creatable: true }),
      firmwareUpdateObject(models, hooks),
      defineObject(models, 6),
    ],
    undefined,
    models,
  );
  tree.require(0).add(1, [
    [0, uri],
    [1, false],
    [2, 0],
    [3, Uint8Array.from(Buffer.from(endpointName))],
    [4, new Uint8Array()],
    [5, KEY],
    [10, 101],
  ]);
  tree.require(1).add(0, [
    [0, 101],
    [1, 300],
    [6, true],
    [7, 'U'],
  ]);
  tree.require(3).add(0, [
    [0, 'sefleet'],
    [11, new Map([[0, 0]])],
    [13, 1_767_225_600],
    [16, 'U'],
  ]);
  tree.require(5).add(0, firmwareDefaults(hooks));
  tree.require(6).add(0, [
    [0, 52.5],
    [1, 13.25],
    [5, 1_767_225_600],
  ]);
  return {
    client: createLwm2mClient({ endpointName, tree, runtime, transport: transportWith(keysOf) }),
    tree,
  };
}

describe('Leshan 2.0.0-M18', () => {
  it('as a server gets from our device what it asks for', options, async () => {
    const [coap, coaps] = await freePorts(2);
    const peer = new JavaPeer('ServerPeer', [String(coap), String(coaps), 'ours', 'psk', HEX]);
    const { client, tree } = createDevice('ours', `coaps://127.0.0.1:${coaps}`, psk);
    try {
      await peer.line(/^ready/);
      await client.start();
      await peer.line(/^registered ours V1_1 300|^registered ours 1\.1 300/);
      await peer.line(/^asked/);
      const expected: Record<string, RegExp> = {
        'read-TLV': /CONTENT.*sefleet/,
        'read-SENML_CBOR': /CONTENT.*sefleet/,
        'read-SENML_JSON': /CONTENT.*sefleet/,
        'read-text': /CONTENT.*sefleet/,
        'read-cbor': /CONTENT/,
        'read-default': /CONTENT.*sefleet/,
        'read-instance': /CONTENT/,
        'read-security': /UNAUTHORIZED|BAD_REQUEST/,
        'write-text': /CHANGED/,
        'write-tlv': /CHANGED/,
        'write-senml': /CHANGED/,
        update: /CHANGED/,
        'write-readonly': /METHOD_NOT_ALLOWED/,
        execute: /CHANGED/,
        discover: /CONTENT/,
        attributes: /CHANGED/,
        // Access control lists are for bootstrap servers to make.
        create: /UNAUTHORIZED/,
        firmware: /CHANGED/,
        'read-composite': /CONTENT.*sefleet/,
        'write-composite': /CHANGED/,
        observe: /CONTENT/,
        'observe-composite': /CONTENT.*sefleet/,
      };
      for (const [step, pattern] of Object.entries(expected)) {
        assert.match(await peer.line(new RegExp(`^step ${step} `)), pattern);
      }
      assert.equal(tree.instance(3, 0)?.get(14), '+05:00');
      tree.instance(6, 0)?.set(0, 53.25);
      assert.match(await peer.line(/^notified \/6\/0\/0/), /53\.25/);
      tree.instance(6, 0)?.set(1, 14.5);
      assert.match(await peer.line(/^notified-composite/), /14\.5/);
      await client.send([{ path: Lwm2mPath.parse('/6/0/0'), value: 53.25, timeSeconds: 1_767_225_700 }]);
      await peer.line(/^sent 1 /);
      client.update();
      await peer.line(/^updated ours/);
      await client.stop();
      await peer.line(/^unregistered ours/);
    } finally {
      await client.powerOff();
      await peer.stop();
    }
  });

  it('as a server takes our device by its raw public key', options, async () => {
    const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const device = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const serverSpki = spki(server.publicKey);
    const signingKey = createSoftwareSigningKey({ privateKey: device.privateKey });
    const trust = { rawPublicKey: (key: Uint8Array) => Buffer.from(key).equals(serverSpki) };
    const keys = [
      pkcs8(server.privateKey),
      serverSpki.toString('hex'),
      spki(device.publicKey).toString('hex'),
    ];
    await registersWith('rpk', keys, () => ({ signingKey, trust }));
  });

  it('as a server takes our device by its certificate', options, async () => {
    const from = new Date(Date.UTC(2025, 0, 1));
    const until = new Date(Date.UTC(2035, 0, 1));
    const root = await createRootAuthority('interop root', from, until);
    const issue = async (commonName: string): Promise<{ key: KeyObject; der: Buffer }> => {
      const request = { commonName, clientAuth: true, serverAuth: true, notBefore: from, notAfter: until };
      const issued = await issueCertificate(root, request);
      return {
        key: createPrivateKey(issued.privateKeyPem),
        der: new X509Certificate(issued.certificatePem).raw,
      };
    };
    const server = await issue('localhost');
    const device = await issue('ours');
    const authority = new X509Certificate(root.certificatePem);
    const signingKey = createSoftwareSigningKey({
      privateKey: device.key,
      certificateChain: [device.der],
      // Offered beside the certificate, Leshan takes the raw key and then misses the name.
      rawPublicKey: false,
    });
    const trust = {
      x509: ([own]: readonly Uint8Array[]) =>
        assert.ok(own !== undefined && new X509Certificate(own).verify(authority.publicKey)),
    };
    const keys = [pkcs8(server.key), server.der.toString('hex'), authority.raw.toString('hex')];
    await registersWith('x509', keys, () => ({ signingKey, trust }));
  });

  it('as a client bootstraps, registers, sends, updates and answers', options, async () => {
    const sent: (readonly Lwm2mEntry[])[] = [];
    const server = createLwm2mServer({
      runtime,
      models,
      authoriser: {
        authorise: (peer, name) => (peer.identity.kind === 'psk' ? { endpoint: name ?? '' } : undefined),
      },
      consumer: {
        send: (_registration, entries) => {
          sent.push(entries);
          return { kind: 'accepted' };
        },
        notification: () => {},
      },
    });
    const keys = { pskFor: (identity: string) => createSoftwarePsk(identity, KEY) };
    const listen = async (): Promise<{ channel: ReturnType<typeof createDtlsEndpoint>; port: number }> => {
      const udp = await UdpChannel.bind({ address: '127.0.0.1' });
      return {
        channel: createDtlsEndpoint({ channel: udp, runtime, server: keys }),
        port: udp.localAddress().port,
      };
    };
    const management = await listen();
    server.listen((handler) => createCoapEndpoint({ runtime, channel: management.channel, handler }));
    const bootstrap = createBootstrapServer({
      runtime,
      models,
      authoriser: { authorise: (_peer, name) => (name === undefined ? undefined : { endpoint: name }) },
      configurationFor: ({ endpoint }) => ({
        deletes: [Lwm2mPath.parse('/0'), Lwm2mPath.parse('/1')],
        writes: accountWrites({
          securityInstance: 1,
          serverInstance: 0,
          shortServerId: 101,
          uri: `coaps://127.0.0.1:${management.port}`,
          security: { mode: 'psk', identity: endpoint, key: KEY },
          lifetimeSeconds: 300,
          binding: 'U',
          notificationStoring: true,
        }),
      }),
    });
    const door = await listen();
    bootstrap.listen((handler) => createCoapEndpoint({ runtime, channel: door.channel, handler }));
    const peer = new JavaPeer('ClientPeer', [`coaps://127.0.0.1:${door.port}`, 'theirs', HEX]);
    try {
      await peer.line(/^bootstrapped/);
      await peer.line(/^registered/);
      await peer.line(/^send /);
      await peer.line(/^updated/);
      assert.equal(sent[0]?.[0]?.value, 'Eclipse Leshan');
      const device = server.device('theirs');
      const read = await device.read(Lwm2mPath.parse('/3/0'));
      assert.ok(read.entries.some(({ value }) => value === 'Eclipse Leshan'));
      const composite = await device.readComposite([Lwm2mPath.parse('/3/0/0'), Lwm2mPath.parse('/1/0/1')]);
      assert.deepEqual(
        composite.entries.map(({ value }) => value),
        ['Eclipse Leshan', 300],
      );
      assert.equal((await device.discover(Lwm2mPath.parse('/3'))).success, true);
      assert.equal((await device.observe([Lwm2mPath.parse('/3/0/0')])).success, true);
      const lifetime = Lwm2mPath.parse('/1/0/1');
      assert.equal((await device.write(lifetime, [{ path: lifetime, value: 600 }], 'replace')).success, true);
    } finally {
      await peer.stop();
      await Promise.all([server.close(), bootstrap.close()]);
    }
  });
});

/** Our device registers with a Leshan server that knows these keys, and answers it. */
async function registersWith(
  mode: 'rpk' | 'x509',
  keys: readonly string[],
  keysOf: () => DtlsClientSettings,
): Promise<void> {
  const [coap, coaps] = await freePorts(2);
  const peer = new JavaPeer('ServerPeer', [String(coap), String(coaps), 'ours', mode, ...keys]);
  const { client } = createDevice('ours', `coaps://127.0.0.1:${coaps}`, keysOf);
  try {
    await peer.line(/^ready/);
    await Promise.all([client.start(), peer.line(/^registered ours/)]);
    assert.match(await peer.line(/^step read-SENML_CBOR /), /CONTENT.*sefleet/);
    await peer.line(/^asked/);
    await client.stop();
    await peer.line(/^unregistered ours/);
  } finally {
    await client.powerOff();
    await peer.stop();
  }
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

function pkcs8(key: KeyObject): string {
  return key.export({ format: 'der', type: 'pkcs8' }).toString('hex');
}

async function freePorts(count: number): Promise<number[]> {
  const channels = await Promise.all(
    Array.from({ length: count }, () => UdpChannel.bind({ address: '127.0.0.1' })),
  );
  const ports = channels.map((channel) => channel.localAddress().port);
  await Promise.all(channels.map((channel) => channel.close()));
  return ports;
}
