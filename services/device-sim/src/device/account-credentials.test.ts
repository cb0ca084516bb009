import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { createDtlsEndpoint, createSoftwareSigningKey, createX509Trust } from '@sefleet/dtls';
import { isSefleetError } from '@sefleet/errors';
import {
  ObjectTree,
  omaModels,
  readSecurity,
  SECURITY_MODE,
  SECURITY_RESOURCE,
  type ResourceValue,
} from '@sefleet/lwm2m';
import { cardKeyReference } from '@sefleet/lwm2m-coap';
import { createRootAuthority, issueCertificate } from '@sefleet/pki';
import type { PeerIdentity } from '@sefleet/runtime';
import { connectStream } from '@sefleet/runtime/node';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { IotSafeClient } from '@sefleet/secure-element';
import { createTestCard, TEST_CONTAINER } from '../testing/test-card.ts';
import { DeviceCard } from './device-card.ts';
import { DeviceSockets } from './transport/device-sockets.ts';
import { createFleetTransport } from './transport/fleet-transport.ts';

const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const NONE = new Uint8Array(0);
const runtime = new SimRuntime(1);
const network = new SimNetwork(runtime);
const card = new DeviceCard({
  image: await createTestCard(ENDPOINT, runtime.rng),
  endpoint: ENDPOINT,
  rng: runtime.rng,
  withoutReadings: [],
  changed: () => undefined,
});
const publicKey = new IotSafeClient((apdu) => card.transmit(apdu)).subjectPublicKeyInfo(
  Uint8Array.of(TEST_CONTAINER.deviceKey),
);
const wallMs = runtime.clock.wallMs();
const validity = { notBefore: new Date(wallMs - 86_400_000), notAfter: new Date(wallMs + 86_400_000) };
const root = await createRootAuthority('test authority', validity.notBefore, validity.notAfter);
const device = await issueCertificate(root, {
  commonName: ENDPOINT,
  clientAuth: true,
  subjectPublicKey: publicKey,
  ...validity,
});
const server = await issueCertificate(root, { commonName: 'lwm2m', serverAuth: true, ...validity });
const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;
const serverKey: KeyObject = createPrivateKey(server.privateKeyPem);
const serverPublicKey = createPublicKey(serverKey).export({ format: 'der', type: 'spki' });

const seen: PeerIdentity[] = [];
const listener = createDtlsEndpoint({
  channel: network.bind('10.0.0.1', 5684),
  runtime,
  server: {
    signingKeyFor: () =>
      createSoftwareSigningKey({ privateKey: serverKey, certificateChain: [der(server.certificatePem)] }),
    clientAuthentication: 'required',
    trust: {
      x509: createX509Trust({ anchors: [der(root.certificatePem)], clock: runtime.clock }),
      rawPublicKey: (key) => Buffer.compare(key, publicKey) === 0,
    },
  },
  events: { sessionEstablished: ({ identity }) => void seen.push(identity) },
});
listener.listen({ datagram: () => undefined });

interface Account {
  readonly mode: number;
  readonly own: Uint8Array;
  readonly server: Uint8Array;
  readonly secret?: Uint8Array;
  readonly usage?: number;
}

/** The code of the error that `connect` ends with. */
async function refusal(account: Account): Promise<string> {
  const outcome = await connect(account);
  assert.ok(typeof outcome === 'string', 'no error');
  return outcome;
}

/** The identity that the server has seen, or the code of the error. */
async function connect(account: Account): Promise<PeerIdentity | string | undefined> {
  const model = omaModels().object(0);
  assert.ok(model);
  const tree = new ObjectTree([{ model }], {}, omaModels());
  const values: (readonly [number, ResourceValue])[] = [
    [SECURITY_RESOURCE.SERVER_URI, 'coaps://10.0.0.1:5684'],
    [SECURITY_RESOURCE.BOOTSTRAP_SERVER, false],
    [SECURITY_RESOURCE.SECURITY_MODE, account.mode],
    [SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY, account.own],
    [SECURITY_RESOURCE.SERVER_PUBLIC_KEY, account.server],
    [
      SECURITY_RESOURCE.SECRET_KEY,
      account.secret ?? cardKeyReference({ container: TEST_CONTAINER.deviceKey }),
    ],
    [SECURITY_RESOURCE.SHORT_SERVER_ID, 1],
  ];
  if (account.usage !== undefined) values.push([SECURITY_RESOURCE.CERTIFICATE_USAGE, account.usage]);
  const security = readSecurity(tree.require(0).add(0, values));
  assert.ok(security);
  const transport = createFleetTransport({
    runtime,
    sockets: new DeviceSockets(() => Promise.resolve(network.bind('10.1.0.1'))),
    cardOf: () => card,
    cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'],
    events: {},
    openStream: connectStream,
    sessionCertificateMs: 60_000,
    streamEvents: { secured: () => undefined, failed: () => undefined },
  });
  seen.length = 0;
  let outcome: PeerIdentity | string | undefined;
  let settled = false;
  transport
    .connect({
      endpointName: ENDPOINT,
      account: security,
      tree,
      handler: () => ({ code: 0x45 }),
      lost: () => undefined,
    })
    .then(
      async (connection) => {
        outcome = seen[0];
        await connection.close();
      },
      (error: unknown) => {
        outcome = isSefleetError(error) ? error.code : String(error);
      },
    )
    .finally(() => (settled = true));
  await runtime.runUntil(() => settled, 120_000);
  return outcome;
}

test('proves itself with a raw public key whose private half is in the card', async () => {
  const identity = await connect({ mode: SECURITY_MODE.RPK, own: publicKey, server: serverPublicKey });
  assert.ok(typeof identity === 'object' && identity.kind === 'rpk');
  assert.deepEqual(Buffer.from(identity.subjectPublicKeyInfo), Buffer.from(publicKey));
});

test('proves itself with the device certificate, to the very server that the account names', async () => {
  const identity = await connect({
    mode: SECURITY_MODE.X509,
    own: der(device.certificatePem),
    server: der(server.certificatePem),
  });
  assert.ok(typeof identity === 'object' && identity.kind === 'x509');
  assert.equal(identity.commonName, ENDPOINT);
});

test('takes any server below the authority that the account names, when it names one', async () => {
  const account = {
    mode: SECURITY_MODE.X509,
    own: der(device.certificatePem),
    server: der(root.certificatePem),
  };
  const identity = await connect({ ...account, usage: 2 });
  assert.ok(typeof identity === 'object' && identity.kind === 'x509');
  assert.match(await refusal({ ...account, usage: 3 }), /DTLS|SIM/);
});

test('refuses a server with another key or certificate', async () => {
  assert.match(await refusal({ mode: SECURITY_MODE.RPK, own: publicKey, server: publicKey }), /^DTLS_/);
  const x509 = {
    mode: SECURITY_MODE.X509,
    own: der(device.certificatePem),
    server: der(device.certificatePem),
  };
  assert.match(await refusal(x509), /DTLS|SIM/);
});

test('cannot use an account whose private key is not in the card, or of another mode', async () => {
  const rpk = { own: publicKey, server: serverPublicKey };
  const inTheClear = await connect({ ...rpk, mode: SECURITY_MODE.RPK, secret: Uint8Array.of(1, 2, 3) });
  assert.equal(inTheClear, 'SIM_ACCOUNT_UNUSABLE');
  assert.equal(await connect({ ...rpk, mode: SECURITY_MODE.EST }), 'SIM_ACCOUNT_UNUSABLE');
  assert.equal(
    await connect({ own: NONE, server: NONE, mode: SECURITY_MODE.X509, secret: NONE }),
    'SIM_ACCOUNT_UNUSABLE',
  );
});
