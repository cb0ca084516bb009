import assert from 'node:assert/strict';
import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { common } from '@sefleet/api';
import { CODE, createCoapEndpoint, createCoapStreamEndpoint } from '@sefleet/coap';
import type { CoapEndpoint, RequestHandler } from '@sefleet/coap';
import {
  createDtlsEndpoint,
  createSoftwarePsk,
  createSoftwareSigningKey,
  createX509Trust,
} from '@sefleet/dtls';
import type { SigningKeyProvider } from '@sefleet/dtls';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import type { Credential } from '@sefleet/pki';
import type { Peer } from '@sefleet/runtime';
import {
  connectStream,
  createNodeRuntime,
  FfiUdpChannel,
  toStreamConnection,
  UdpChannel,
} from '@sefleet/runtime/node';
import { bindUdp } from './adapters/devices/plain-listener.ts';
import { ServerBench } from './testing/server-bench.ts';

const runtime = createNodeRuntime();
const open: CoapEndpoint[] = [];
let bench: ServerBench;

before(async () => {
  bench = await ServerBench.start({
    SEFLEET_LWM2M_ADDRESS: '127.0.0.1 ::1',
    SEFLEET_LWM2M_TCP: 'on',
    SEFLEET_LWM2M_PLAIN_ENDPOINTS: 'lab-* obu=lab:car',
    SEFLEET_LWM2M_PLAIN_PORT: '0',
    SEFLEET_BOOTSTRAP_PLAIN_PORT: '0',
    SEFLEET_LWM2M_PLAIN_URI: 'coap://198.51.100.7:5683',
  });
});
after(async () => {
  await Promise.all(open.map((coap) => coap.close()));
  await bench.stop();
  runtime.close();
});

const LINKS = { method: 'POST', path: '/rd', payload: '</3/0>', contentFormat: 40 } as const;

async function register(coap: CoapEndpoint, peer: Peer, endpoint: string): Promise<number> {
  const { code } = await coap.request(peer, { ...LINKS, query: [`ep=${endpoint}`, 'lwm2m=1.1'] });
  return code;
}

/** A device that answers every Read with its name. */
const answering: RequestHandler = () => ({ code: CODE.CONTENT, payload: 'bench', contentFormat: 0 });

async function plainUdp(address = '127.0.0.1', port = bench.plainPort) {
  const channel = await UdpChannel.bind({ address });
  const coap = createCoapEndpoint({ runtime, channel, handler: answering });
  open.push(coap);
  return { coap, peer: channel.peerAt(address, port) };
}

async function plainTcp(port = bench.plainPort) {
  const coap = createCoapStreamEndpoint({ runtime, handler: answering });
  open.push(coap);
  return { coap, peer: coap.attach(await connectStream({ address: '127.0.0.1', port })) };
}

async function overDtls(signingKey: SigningKeyProvider, address = '127.0.0.1') {
  const dtls = createDtlsEndpoint({ channel: await UdpChannel.bind({ address }), runtime });
  const coap = createCoapEndpoint({ runtime, channel: dtls });
  open.push(coap);
  const trust = { x509: createX509Trust({ anchors: [bench.authority()], clock: runtime.clock }) };
  const own = { signingKey, trust, serverName: 'localhost' };
  return { coap, peer: await dtls.connect(address, bench.lwm2mPort, own) };
}

async function overTls(options: ConnectionOptions, port = bench.lwm2mPort) {
  const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  const coap = createCoapStreamEndpoint({ runtime, handler: answering });
  open.push(coap);
  const identity = { kind: 'none' } as const;
  return { coap, peer: coap.attach(toStreamConnection(socket, { address: '127.0.0.1', port, identity })) };
}

function withPsk(identity: string, psk: Uint8Array, ciphers = 'PSK-AES128-CCM8:@SECLEVEL=0') {
  return { ciphers, maxVersion: 'TLSv1.2', pskCallback: () => ({ identity, psk }) } as const;
}

function signingKeyOf({ certificatePem, privateKeyPem }: Credential): SigningKeyProvider {
  return createSoftwareSigningKey({
    privateKey: createPrivateKey(privateKeyPem),
    certificateChain: [new X509Certificate(certificatePem).raw],
    rawPublicKey: false,
  });
}

function rawKey(): { readonly signingKey: SigningKeyProvider; readonly reference: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = publicKey.export({ format: 'der', type: 'spki' });
  return { signingKey: createSoftwareSigningKey({ privateKey }), reference: `public-key:${digestOf(der)}` };
}

function digestOf(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

/** An authority of an owner, and what it issues. */
async function ownAuthority() {
  const from = new Date(Date.now() - 3_600_000);
  const to = new Date(Date.now() + 3_600_000);
  const authority = await createRootAuthority('an owner', from, to);
  const issue = (commonName: string): Promise<Credential> =>
    issueCertificate(authority, {
      commonName,
      organisation: 'an owner',
      clientAuth: true,
      notBefore: from,
      notAfter: to,
    });
  return { der: new X509Certificate(authority.certificatePem).raw, issue };
}

async function credentialOf(endpoint: string): Promise<string | undefined> {
  return (await bench.client.getRegistration({ endpoint })).registration?.credential;
}

test('lets the named endpoints in over UDP without security, and works with them', async () => {
  const { coap, peer } = await plainUdp();
  assert.equal(await register(coap, peer, 'lab-1'), CODE.CREATED);
  assert.equal(await credentialOf('lab-1'), 'none');
  const read = await bench.client.read({ endpoint: 'lab-1', path: '/3/0/0' });
  assert.equal(read.code, '2.05');
  assert.equal(await register(coap, peer, 'lab:car'), CODE.CREATED);
  const { registration } = await bench.client.getRegistration({ endpoint: 'lab:car' });
  assert.equal(registration?.kind, common.DeviceKind.OBU);
});

test('lets them in over IPv6, and over TCP without security', async () => {
  const six = await plainUdp('::1');
  assert.equal(await register(six.coap, six.peer, 'lab-six'), CODE.CREATED);
  const { coap, peer } = await plainTcp();
  assert.equal(await register(coap, peer, 'lab-tcp'), CODE.CREATED);
  assert.equal((await bench.client.read({ endpoint: 'lab-tcp', path: '/3/0/0' })).code, '2.05');
});

test('refuses other names, and the name of a device that has proven itself', async () => {
  const known = bench.addDevice('lab-secured');
  bench.devices.set('lab-secured', { ...known, endpoint: 'lab-secured' });
  const secured = await overTls(withPsk(known.identity, known.psk));
  assert.equal(await register(secured.coap, secured.peer, 'lab-secured'), CODE.CREATED);
  const { coap, peer } = await plainUdp();
  assert.equal(await register(coap, peer, 'lab-secured'), CODE.FORBIDDEN);
  assert.equal(await register(coap, peer, 'urn:dev:sefleet:meter-1'), CODE.FORBIDDEN);
  const nameless = await coap.request(peer, { ...LINKS, query: ['lwm2m=1.1'] });
  assert.equal(nameless.code, CODE.FORBIDDEN);
  const { registration } = await bench.client.getRegistration({ endpoint: 'lab-secured' });
  const path = `/rd/${registration?.registrationId ?? ''}`;
  assert.equal((await coap.request(peer, { method: 'DELETE', path })).code, CODE.NOT_FOUND);
  assert.equal(await credentialOf('lab-secured'), 'psk:lab-secured');
});

test('tells a device without a credential where the server is, and no secret', async () => {
  const written: string[] = [];
  const channel = await UdpChannel.bind();
  const coap = createCoapEndpoint({
    runtime,
    channel,
    handler: ({ method, segments, payload }) => {
      written.push(`${method} /${segments.join('/')} ${Buffer.from(payload).toString('latin1')}`);
      return { code: method === 'DELETE' ? CODE.DELETED : CODE.CHANGED };
    },
  });
  open.push(coap);
  const peer = channel.peerAt('127.0.0.1', bench.plainBootstrapPort);
  const asked = await coap.request(peer, { method: 'POST', path: '/bs', query: ['ep=lab-boot'] });
  assert.equal(asked.code, CODE.CHANGED);
  for (let i = 0; i < 2000 && !written.some((line) => line.startsWith('POST /bs')); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.deepEqual(
    written.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['DELETE /0', 'DELETE /1', 'PUT /0/1', 'PUT /1/0', 'POST /bs'],
  );
  assert.match(written[2] ?? '', /coap:\/\/198\.51\.100\.7:5683/);
  const other = await coap.request(peer, { method: 'POST', path: '/bs', query: ['ep=urn:dev:sefleet:x'] });
  assert.equal(other.code, CODE.FORBIDDEN);
});

test('knows a device by its pre-shared key over TLS 1.2 and 1.3, on both servers', async () => {
  const known = bench.addDevice('tls-psk');
  const { endpoint, identity, psk } = known;
  const old = await overTls(withPsk(identity, psk));
  assert.equal(await register(old.coap, old.peer, endpoint), CODE.CREATED);
  assert.equal(await credentialOf(endpoint), 'psk:tls-psk');
  assert.equal(await register(old.coap, old.peer, 'urn:dev:sefleet:other'), CODE.FORBIDDEN);
  assert.equal((await bench.client.read({ endpoint, path: '/3/0/0' })).code, '2.05');
  const ciphers = 'TLS_AES_128_GCM_SHA256:PSK-AES128-GCM-SHA256';
  const fresh = bench.addDevice('tls-psk-13');
  const pskCallback = () => ({ identity: fresh.identity, psk: fresh.psk });
  const recent = await overTls({ ciphers, minVersion: 'TLSv1.3', pskCallback });
  assert.equal(await register(recent.coap, recent.peer, fresh.endpoint), CODE.CREATED);
  const boot = await overTls(withPsk(known.bootstrapIdentity, known.bootstrapPsk), bench.bootstrapPort);
  const query = [`ep=${endpoint}`];
  assert.equal(
    (await boot.coap.request(boot.peer, { method: 'POST', path: '/bs', query })).code,
    CODE.CHANGED,
  );
});

test('refuses a wrong key, an unknown identity, the other account and nobody over TLS', async () => {
  const known = bench.addDevice('tls-wrong');
  const wrong = Buffer.from('0123456789abcdef');
  await assert.rejects(overTls(withPsk(known.identity, wrong)));
  await assert.rejects(overTls(withPsk('nobody', wrong)));
  await assert.rejects(overTls(withPsk(known.bootstrapIdentity, known.bootstrapPsk)));
  await refusedAfterHandshake({ minVersion: 'TLSv1.3' });
  // A key that TLS has no use for, since the suites are for another hash, proves nothing.
  const pskCallback = () => ({ identity: known.identity, psk: wrong });
  await assert.rejects(overTls({ ciphers: 'TLS_AES_256_GCM_SHA384', minVersion: 'TLSv1.3', pskCallback }));
});

async function refusedAfterHandshake(options: ConnectionOptions): Promise<void> {
  const { coap, peer } = await overTls(options);
  await assert.rejects(register(coap, peer, 'urn:dev:sefleet:tls-wrong'));
}

test('knows a device by the raw public key that its owner handed in', async () => {
  const { signingKey, reference } = rawKey();
  const endpoint = 'urn:dev:sefleet:raw-1';
  bench.ownCredentials.push({ reference, endpoint, kind: common.DeviceKind.OBU });
  const { coap, peer } = await overDtls(signingKey);
  assert.equal(await register(coap, peer, endpoint), CODE.CREATED);
  const { registration } = await bench.client.getRegistration({ endpoint });
  assert.equal(registration?.kind, common.DeviceKind.OBU);
  assert.equal(registration?.credential, reference.replace('public-key:', 'rpk:'));
  assert.equal(await register(coap, peer, 'urn:dev:sefleet:raw-2'), CODE.FORBIDDEN);
  await assert.rejects(overDtls(rawKey().signingKey), { code: 'DTLS_HANDSHAKE_FAILED' });
  const six = await overDtls(signingKey, '::1');
  assert.equal(await register(six.coap, six.peer, endpoint), CODE.CREATED);
});

test('knows a device by exactly its certificate, or by what its owner’s authority signed', async () => {
  const { der, issue } = await ownAuthority();
  const kind = common.DeviceKind.SMART_METER;
  const exact = await issue('any name');
  const exactDer = new X509Certificate(exact.certificatePem).raw;
  const [pinned, named] = ['urn:dev:sefleet:pinned', 'urn:dev:sefleet:named'];
  bench.ownCredentials.push({ reference: `certificate:${digestOf(exactDer)}`, endpoint: pinned, kind });
  bench.ownCredentials.push({ reference: `authority:${named}`, endpoint: named, kind, authority: der });
  for (const [credential, endpoint] of [
    [exact, pinned],
    [await issue(named), named],
  ] as const) {
    const { coap, peer } = await overDtls(signingKeyOf(credential));
    assert.equal(await register(coap, peer, endpoint), CODE.CREATED);
    assert.equal(await register(coap, peer, 'urn:dev:sefleet:raw-1'), CODE.FORBIDDEN);
    const { certificatePem: cert, privateKeyPem: key } = credential;
    const stream = await overTls({ cert, key });
    assert.equal(await register(stream.coap, stream.peer, endpoint), CODE.CREATED);
  }
  // The authority vouches for one name; another owner's authority for none of these.
  const foreign = await issue('urn:dev:sefleet:raw-1');
  await assert.rejects(overDtls(signingKeyOf(foreign)), { code: 'DTLS_HANDSHAKE_FAILED' });
  const { certificatePem: cert, privateKeyPem: key } = foreign;
  await refusedAfterHandshake({ cert, key });
  const impostor = await (await ownAuthority()).issue(named);
  await assert.rejects(overDtls(signingKeyOf(impostor)), { code: 'DTLS_HANDSHAKE_FAILED' });
});

test('refuses UDP in batches where it cannot be had', async () => {
  const at = { address: '::1', port: 0, portSetting: 'SEFLEET_LWM2M_PORT', bufferBytes: 65_536 };
  await assert.rejects(bindUdp({ ...at, ffiSockets: true }), { code: 'LWM2M_FFI_UNAVAILABLE' });
});

const noFfi = FfiUdpChannel.isAvailable() ? false : 'the runtime has no node:ffi here';
test('takes devices over UDP in batches', { skip: noFfi }, async (t) => {
  const other = await ServerBench.start({ SEFLEET_LWM2M_FFI_SOCKETS: 'on' });
  t.after(() => other.stop());
  const known = other.addDevice('batched');
  const dtls = createDtlsEndpoint({ channel: await UdpChannel.bind(), runtime });
  const coap = createCoapEndpoint({ runtime, channel: dtls });
  open.push(coap);
  const psk = createSoftwarePsk(known.identity, known.psk);
  const peer = await dtls.connect('127.0.0.1', other.lwm2mPort, { psk });
  assert.equal(await register(coap, peer, known.endpoint), CODE.CREATED);
});
