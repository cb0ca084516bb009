import { deepEqual, equal, notEqual, ok, rejects, throws } from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { decodeSealedRecord, deriveRecordKey, openTelemetryRecord } from '@sefleet/cose';
import {
  bootstrapAccount,
  bootstrapFromCard,
  defineObject,
  ObjectTree,
  omaModels,
  serverAccounts,
} from '@sefleet/lwm2m';
import {
  encodeBootstrapFile,
  FIRMWARE_AUTHORITY_KEY,
  importCard,
  IotSafeClient,
  readSmartcardBootstrap,
  RecordsClient,
} from '@sefleet/secure-element';
import { DEFAULT_CONNECTIVITY, type Connectivity } from '../domain/connectivity.ts';
import { CARD_PLANS, IOT_SAFE_CONTAINER } from '../domain/card-plan.ts';
import { DEVICE_KINDS } from '../domain/device-kind.ts';
import { toOwnCredential } from '../domain/own-credential.ts';
import { createBench } from '../testing/factory-bench.ts';
import type { DeliveredCard, DeviceOrder, Factory } from './factory.ts';

const opened: { close(): Promise<void> }[] = [];

async function bench() {
  const made = await createBench();
  opened.push(made);
  return made;
}

async function deliver(factory: Factory, orders: readonly DeviceOrder[]): Promise<DeliveredCard[]> {
  const cards: DeliveredCard[] = [];
  for await (const batch of factory.deliver(orders, new AbortController().signal)) cards.push(...batch);
  return cards;
}

describe('the factory', () => {
  afterEach(async () => {
    for (const item of opened.splice(0)) await item.close();
  });

  it('makes a card once, and delivers the same one again', async () => {
    const { factory } = await bench();
    const order = { endpoint: 'm-1', kind: 'smart-meter' as const };
    const [first] = await deliver(factory, [order]);
    const [again] = await deliver(factory, [order]);
    deepEqual(Buffer.from(again?.image ?? []), Buffer.from(first?.image ?? [1]));
    const [a, b] = await Promise.all([
      deliver(factory, [{ ...order, endpoint: 'm-2' }]),
      deliver(factory, [{ ...order, endpoint: 'm-2' }]),
    ]);
    deepEqual(Buffer.from(a[0]?.image ?? []), Buffer.from(b[0]?.image ?? [1]));
    await rejects(deliver(factory, [{ ...order, kind: 'obu' }]), { code: 'PROVISIONING_DEVICE_EXISTS' });
  });

  it('certifies the key pair that the card made, which may certify sessions and nothing below', async () => {
    const { factory, runtime } = await bench();
    for (const kind of DEVICE_KINDS) {
      const [card] = await deliver(factory, [{ endpoint: `one-${kind}`, kind }]);
      ok(card);
      const [leaf, authority] = card.certificateChain.map((der) => new X509Certificate(der));
      ok(leaf && authority && leaf.verify(authority.publicKey) && leaf.checkIssued(authority));
      ok(leaf.subject.includes(`CN=one-${kind}`));
      ok(leaf.ca);
      const client = new IotSafeClient((apdu) => element.transmit(apdu));
      const element = importCard(card.image, { rng: runtime.rng });
      const key = client.subjectPublicKeyInfo(Uint8Array.of(IOT_SAFE_CONTAINER.deviceKey));
      ok(createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' }).equals(leaf.publicKey));
    }
  });

  it('puts the key of the firmware authority on every card', async () => {
    const { factory, runtime, firmwareKey } = await bench();
    for (const kind of DEVICE_KINDS) {
      const [card] = await deliver(factory, [{ endpoint: `firm-${kind}`, kind }]);
      ok(card);
      const element = importCard(card.image, { rng: runtime.rng });
      const client = new IotSafeClient((apdu) => element.transmit(apdu));
      deepEqual(client.publicKey(FIRMWARE_AUTHORITY_KEY), firmwareKey);
      equal(client.verifyMessage(FIRMWARE_AUTHORITY_KEY, new Uint8Array(9), new Uint8Array(64)), false);
    }
  });

  it('gives every certificate a serial number and a key identifier of its own', async () => {
    const { factory } = await bench();
    const orders = ['a', 'b'].map((endpoint) => ({ endpoint, kind: 'obu' as const }));
    const [a, b] = (await deliver(factory, orders)).map(
      ({ certificateChain }) => new X509Certificate(certificateChain[0] ?? ''),
    );
    ok(a && b);
    notEqual(a.serialNumber, b.serialNumber);
    notEqual(a.raw.toString('hex'), b.raw.toString('hex'));
  });

  it('personalises an applet a stakeholder, under that stakeholder’s own record key', async () => {
    const { factory, runtime, custody } = await bench();
    for (const kind of DEVICE_KINDS) {
      const endpoint = `r-${kind}`;
      const [card] = await deliver(factory, [{ endpoint, kind }]);
      const element = importCard(card?.image ?? new Uint8Array(), { rng: runtime.rng });
      for (const { records, party } of CARD_PLANS[kind].domains) {
        const client = new RecordsClient((apdu) => element.transmit(apdu), records);
        const sealed = decodeSealedRecord(client.seal({ timestampMs: 1, values: [[2, 5]] }));
        client.close();
        equal(sealed.stakeholder, party);
        const key = deriveRecordKey(await custody.vault(party).release('record', 1), endpoint);
        deepEqual(openTelemetryRecord(sealed, key, endpoint).values, [[2, 5]]);
      }
    }
  });

  const way = (part: Partial<Connectivity>): Connectivity => ({ ...DEFAULT_CONNECTIVITY, ...part });

  it('writes the accounts of a device into its card, where an LwM2M client finds them', async () => {
    const { factory, runtime } = await bench();
    for (const [transport, credential] of [
      ['coaps', 'psk'],
      ['coaps', 'x509'],
      ['coap+tcp', 'none'],
    ] as const) {
      const connectivity = way({ transport, credential, bootstrap: 'smartcard' });
      const endpoint = `sc-${transport.replace('+', '-')}-${credential}`;
      const [made] = await deliver(factory, [{ endpoint, kind: 'smart-meter', connectivity }]);
      ok(made);
      equal(made.factoryAccounts.length, 0);
      const element = importCard(made.image, { rng: runtime.rng });
      const objects = readSmartcardBootstrap((apdu) => element.transmit(apdu));
      const models = omaModels();
      const tree = new ObjectTree([defineObject(models, 0), defineObject(models, 1)], {}, models);
      await bootstrapFromCard(tree, encodeBootstrapFile(objects));
      equal(bootstrapAccount(tree)?.uri, 'coaps://127.0.0.1:5784');
      const [account] = serverAccounts(tree);
      equal(account?.security.uri.split(':')[0], transport);
      equal(account?.server.binding, transport.endsWith('tcp') ? 'T' : 'U');
      const secret = Buffer.from(tree.instance(0, 1)?.get(5) as Uint8Array).toString();
      equal(secret, { psk: 'se:2', x509: 'se:3', none: '' }[credential]);
    }
  });

  it('gives accounts to a device that is to keep them itself, and changes those of one that asks the server', async () => {
    const { factory, store } = await bench();
    const order = { endpoint: 'f-1', kind: 'smart-meter' as const };
    const [made] = await deliver(factory, [{ ...order, connectivity: way({ bootstrap: 'factory' }) }]);
    ok((made?.factoryAccounts.length ?? 0) > 50);
    const overTls = way({ transport: 'coaps+tcp', credential: 'x509', queueMode: true });
    const [again] = await deliver(factory, [{ ...order, connectivity: overTls }]);
    equal(again?.factoryAccounts.length, 0);
    deepEqual((await store.devices(['f-1'])).get('f-1')?.connectivity, overTls);
    await rejects(deliver(factory, [{ ...order, connectivity: way({ bootstrap: 'smartcard' }) }]), {
      code: 'PROVISIONING_DEVICE_EXISTS',
    });
  });

  it('refuses a way to servers that cannot be', async () => {
    const { factory } = await bench();
    for (const part of [
      { transport: 'coaps+tcp' },
      { transport: 'coap', credential: 'psk' },
      { credential: 'none' },
    ] as const) {
      const order = { endpoint: 'w', kind: 'obu' as const, connectivity: way(part) };
      await rejects(deliver(factory, [order]), { code: 'PROVISIONING_REQUEST_INVALID' });
    }
    // The server's certificate is nowhere in this bench.
    const order = { endpoint: 'w', kind: 'obu' as const, connectivity: way({ credential: 'rpk' }) };
    await rejects(deliver(factory, [order]), { code: 'PROVISIONING_SERVER_CERTIFICATE_MISSING' });
  });

  it('refuses names that do not fit a certificate, a path or an identity', async () => {
    const { factory } = await bench();
    for (const endpoint of ['', 'a b', '../x', 'bs:m', 'x'.repeat(65), 'ü', 'city-grid']) {
      await rejects(deliver(factory, [{ endpoint, kind: 'obu' }]), { code: 'PROVISIONING_REQUEST_INVALID' });
    }
    await rejects(deliver(factory, []), { code: 'PROVISIONING_REQUEST_INVALID' });
    const order = { endpoint: 'm', kind: 'obu' } as const;
    await rejects(deliver(factory, [order, order]), { code: 'PROVISIONING_REQUEST_INVALID' });
  });

  it('takes a name once, whoever asks for it at the same time', async () => {
    const { factory } = await bench();
    const order = { endpoint: 'soft', kind: 'smart-meter' as const };
    const made = await Promise.all([1, 2, 3].map(() => factory.addSoftwareDevice(order, false)));
    equal(new Set(made.map(({ psk }) => Buffer.from(psk).toString())).size, 1);
    const other = { endpoint: 'both', kind: 'smart-meter' as const };
    const [soft, card] = await Promise.allSettled([
      factory.addSoftwareDevice(other, false),
      deliver(factory, [other]),
    ]);
    deepEqual(
      [soft, card]
        .filter(({ status }) => status === 'rejected')
        .map((outcome) => 'reason' in outcome && outcome.reason.code),
      ['PROVISIONING_DEVICE_EXISTS'],
    );
  });

  it('gives a software device the same PSK every time, and no card', async () => {
    const { factory } = await bench();
    const order = { endpoint: 'soft', kind: 'smart-meter' as const };
    const first = await factory.addSoftwareDevice(order, true);
    const again = await factory.addSoftwareDevice(order, false);
    deepEqual(again.psk, first.psk);
    // 128 bits as text, for programs that are driven by hand.
    equal(first.psk.length, 22);
    ok(first.credential?.certificatePem.includes('BEGIN CERTIFICATE'));
    await rejects(deliver(factory, [order]), { code: 'PROVISIONING_DEVICE_EXISTS' });
  });

  it('binds what an owner made to one device, one credential of a form', async () => {
    const { factory, store } = await bench();
    const order = (endpoint: string) => ({ endpoint, kind: 'smart-meter' as const });
    const key = () => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      return publicKey.export({ format: 'der', type: 'spki' });
    };
    const own = (der: Uint8Array) => toOwnCredential('public-key', der, 'soft');
    const [first, second] = [own(key()), own(key())];
    await factory.addSoftwareDevice(order('soft'), false, [first]);
    await rejects(factory.addSoftwareDevice(order('thief'), false, [first]), {
      code: 'PROVISIONING_CREDENTIAL_EXISTS',
    });
    await factory.addSoftwareDevice(order('soft'), false, [second]);
    const held = await store.ownCredentials([first.reference, second.reference]);
    deepEqual(
      held.map(({ reference, device }) => [reference, device.endpoint]),
      [[second.reference, 'soft']],
    );
  });

  it('takes no credential of an owner that is not what it says', () => {
    const invalid = { code: 'PROVISIONING_REQUEST_INVALID' };
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const der = rsa.publicKey.export({ format: 'der', type: 'spki' });
    for (const [form, bytes] of [
      ['public-key', new Uint8Array(0)],
      ['public-key', der],
      ['public-key', new Uint8Array(20_000)],
      ['certificate', der],
      ['authority', Uint8Array.of(0x30, 0)],
    ] as const) {
      throws(() => toOwnCredential(form, bytes, 'soft'), invalid);
    }
  });
});
