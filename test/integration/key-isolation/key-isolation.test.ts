import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  createDtlsEndpoint,
  createSoftwarePsk,
  createSoftwareSigningKey,
  type DtlsEndpoint,
} from '@sefleet/dtls';
import {
  aidBytes,
  expectStatus,
  installCommand,
  openScp03Session,
  plainLink,
  selectCommand,
} from '@sefleet/globalplatform';
import { createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import {
  createCard,
  IOT_SAFE_INSTANCE,
  IOT_SAFE_LOAD_FILE,
  IOT_SAFE_MODULE,
  IotSafeClient,
  iotSafePersonalisationCommands,
  ISSUER_SECURITY_DOMAIN,
  STANDARD_PROFILE,
} from '@sefleet/secure-element';
import type { CardRequest, DeviceOrder } from './device-process.ts';
import { countInMemory } from './process-memory.ts';

const IDENTITY = 'meter-1';
const PSK_ID = Uint8Array.of(1);
const KEY_ID = Uint8Array.of(2);
const SUITES = ['TLS_PSK_WITH_AES_128_CCM_8', 'TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8'] as const;
const options = process.platform === 'linux' ? {} : { skip: 'the memory of a process is read through /proc' };

const runtime = createNodeRuntime();
const psk = Uint8Array.from(randomBytes(16));
const device = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const scalar = Uint8Array.from(Buffer.from(device.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url'));
const publicKey = device.publicKey.export({ type: 'spki', format: 'der' });
const children: ChildProcess[] = [];
let card: IotSafeClient;
let server: DtlsEndpoint;

before(async () => {
  card = await makeCard();
  const serverKey = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signingKey = createSoftwareSigningKey({
    privateKey: createPrivateKey(serverKey.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    rawPublicKey: true,
  });
  server = createDtlsEndpoint({
    channel: await UdpChannel.bind(),
    runtime,
    server: {
      pskFor: (identity) => (identity === IDENTITY ? createSoftwarePsk(IDENTITY, psk) : undefined),
      signingKeyFor: () => signingKey,
      clientAuthentication: 'required',
      trust: { rawPublicKey: (key) => Buffer.from(key).equals(publicKey) },
    },
  });
  server.listen({ datagram: (data, peer) => server.send(data, peer) });
});

after(async () => {
  for (const child of children) child.kill();
  await server.close();
  runtime.close();
});

/** A card of the test's process that holds the PSK and the private key. */
async function makeCard(): Promise<IotSafeClient> {
  const keys = { enc: randomBytes(16), mac: randomBytes(16), dek: randomBytes(16) };
  const element = createCard(
    STANDARD_PROFILE,
    {
      diversificationData: randomBytes(10),
      issuerIdentification: Uint8Array.of(0x49, 0x44, 0x01),
      cardImageNumber: randomBytes(8),
      issuerKeys: { version: 0x30, ...keys },
    },
    { rng: runtime.rng },
  );
  const issuer = aidBytes(ISSUER_SECURITY_DOMAIN);
  await expectStatus(plainLink(element.transmit), selectCommand(issuer), 'SELECT');
  const session = await openScp03Session({
    transmit: element.transmit,
    keys,
    rng: runtime.rng,
    domainAid: issuer,
  });
  const install = installCommand({
    loadFile: aidBytes(IOT_SAFE_LOAD_FILE),
    module: aidBytes(IOT_SAFE_MODULE),
    instance: aidBytes(IOT_SAFE_INSTANCE),
    privileges: 0,
    parameters: Uint8Array.of(0xc9, 0x00),
  });
  await expectStatus(session, install, 'INSTALL');
  const containers = [
    { kind: 'secret', id: PSK_ID, label: 'psk', value: psk },
    { kind: 'key-pair', privateId: KEY_ID, publicId: KEY_ID, label: 'device', privateKey: scalar },
  ] as const;
  for (const command of iotSafePersonalisationCommands(session, aidBytes(IOT_SAFE_INSTANCE), containers)) {
    await expectStatus(session, command, 'personalisation');
  }
  return new IotSafeClient(element.transmit);
}

/** Runs a device to the end of its handshake and one echo; it stays alive to be looked at. */
async function connectDevice(order: DeviceOrder): Promise<number> {
  const child = fork(join(import.meta.dirname, 'device-process.ts'), { stdio: 'inherit' });
  children.push(child);
  child.on('message', (message: CardRequest | { connected: true }) => {
    if ('connected' in message) return;
    const result =
      message.operation === 'sign'
        ? card.signMessage(KEY_ID, Buffer.from(message.message, 'hex'))
        : card.masterSecret(PSK_ID, {
            label: message.label === 'master secret' ? 'master secret' : 'extended master secret',
            seed: Buffer.from(message.seed, 'hex'),
          });
    child.send({ id: message.id, result: Buffer.from(result).toString('hex') });
  });
  child.send(order);
  for (;;) {
    const [message] = await once(child, 'message');
    if ('connected' in message) return child.pid ?? 0;
  }
}

const order = (suite: DeviceOrder['suite']): DeviceOrder => ({
  port: server.localAddress().port,
  suite,
  identity: IDENTITY,
  publicKey: publicKey.toString('base64'),
});

for (const suite of SUITES) {
  test(
    `${suite}: keys held by the card are nowhere in the memory of the process that shook hands`,
    options,
    async () => {
      const pid = await connectDevice(order(suite));
      assert.equal(countInMemory(pid, psk), 0, 'PSK');
      assert.equal(countInMemory(pid, scalar) + countInMemory(pid, scalar.toReversed()), 0, 'private key');
      assert.ok(countInMemory(pid, Buffer.from(IDENTITY)) > 0, 'the scan sees what is there');
    },
  );

  test(`${suite}: the same scan finds the key of a software provider`, options, async () => {
    const pkcs8 = device.privateKey.export({ type: 'pkcs8', format: 'der' });
    const keys = { psk: Buffer.from(psk).toString('hex'), privateKey: pkcs8.toString('base64') };
    const pid = await connectDevice({ ...order(suite), keys });
    const held = suite === 'TLS_PSK_WITH_AES_128_CCM_8' ? psk : scalar;
    assert.ok(countInMemory(pid, held) + countInMemory(pid, held.toReversed()) > 0);
  });
}
