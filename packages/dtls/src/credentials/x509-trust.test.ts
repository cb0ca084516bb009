import 'reflect-metadata';
import assert from 'node:assert/strict';
import { KeyObject, webcrypto } from 'node:crypto';
import { describe, test } from 'node:test';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { isSefleetError } from '@sefleet/errors';
import {
  connected,
  createWorld,
  echoes,
  SERVER_ADDRESS,
  SERVER_PORT,
  settled,
} from '../testing/simulated-world.ts';
import { readCertificateFacts } from './certificate-extensions.ts';
import { readRevocationList } from './revocation-list.ts';
import { createSoftwareSigningKey } from './software-signing-key.ts';
import { createX509Trust, type CertificateRefusal, type X509TrustOptions } from './x509-trust.ts';

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;
const clock = { wallMs: () => NOW };

interface Holder {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly der: Uint8Array;
}

interface Wish {
  readonly from?: number;
  readonly to?: number;
  readonly extensions?: x509.Extension[];
  readonly serialNumber?: string;
}

async function issue(name: string, issuer: Holder | undefined, wish: Wish = {}): Promise<Holder> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: wish.serialNumber ?? '0a',
    subject: `CN=${name}`,
    issuer: issuer?.certificate.subject ?? `CN=${name}`,
    notBefore: new Date(wish.from ?? NOW - DAY),
    notAfter: new Date(wish.to ?? NOW + DAY),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: wish.extensions ?? [],
  });
  return { certificate, keys, der: new Uint8Array(certificate.rawData) };
}

const { keyCertSign, cRLSign, digitalSignature, keyAgreement } = x509.KeyUsageFlags;
const authority = (pathLength?: number): x509.Extension[] => [
  new x509.BasicConstraintsExtension(true, pathLength, true),
  new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
];
const leaf = (name = 'meter.example'): x509.Extension[] => [
  new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: name }]),
  new x509.KeyUsagesExtension(digitalSignature, true),
];

async function revocationList(
  issuer: Holder,
  serials: readonly string[],
  nextUpdate = NOW + DAY,
): Promise<Uint8Array> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: new Date(NOW - DAY),
    nextUpdate: new Date(nextUpdate),
    signingAlgorithm: ALGORITHM,
    signingKey: issuer.keys.privateKey,
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(NOW - DAY) })),
  });
  return new Uint8Array(list.rawData);
}

const root = await issue('Root', undefined, { extensions: authority() });
const stranger = await issue('Root', undefined, { extensions: authority() });
const intermediate = await issue('Intermediate', root, { extensions: authority(0) });
const deeper = await issue('Deeper', intermediate, { extensions: authority() });
const good = await issue('meter', intermediate, { extensions: leaf(), serialNumber: '7b' });

/** What validating a chain comes to: `trusted`, or the reason of the refusal. */
function verdict(
  chain: readonly Holder[],
  options: Partial<X509TrustOptions> = {},
  subject: { role: 'client' | 'server'; serverName?: string } = {
    role: 'server',
    serverName: 'meter.example',
  },
): CertificateRefusal | 'trusted' {
  const trust = createX509Trust({ anchors: [root.der], clock, ...options });
  try {
    trust(
      chain.map((holder) => holder.der),
      subject,
    );
    return 'trusted';
  } catch (error) {
    assert.ok(isSefleetError(error));
    assert.equal(error.code, 'DTLS_CERTIFICATE_REFUSED');
    return error.context['reason'] as CertificateRefusal; // the catalogue's reasons and no others
  }
}

describe('createX509Trust', () => {
  test('trusts a chain up to an anchor, whether the anchor is sent or not', () => {
    assert.equal(verdict([good, intermediate]), 'trusted');
    assert.equal(verdict([good, intermediate, root]), 'trusted');
    assert.equal(verdict([good], { anchors: [intermediate.der] }), 'trusted');
    assert.equal(verdict([good], { anchors: [good.der] }), 'trusted');
  });

  test('refuses a chain that leads elsewhere, has a gap or is out of order', () => {
    assert.equal(verdict([good, intermediate], { anchors: [stranger.der] }), 'unknownCa');
    assert.equal(verdict([good]), 'unknownCa');
    assert.equal(verdict([good, root, intermediate]), 'unknownCa');
    assert.equal(verdict([]), 'chainTooLong');
    assert.equal(verdict(Array.from({ length: 9 }, () => good)), 'chainTooLong');
  });

  test('refuses an authority that is none', async () => {
    const usurper = await issue('usurper', root, { extensions: leaf() });
    const below = await issue('below', usurper, { extensions: leaf() });
    assert.equal(verdict([below, usurper]), 'unknownCa');
  });

  test('refuses more authorities than the path length allows', async () => {
    const below = await issue('below', deeper, { extensions: leaf() });
    assert.equal(verdict([below, deeper, intermediate]), 'pathLength');
  });

  test('refuses what is not valid yet or no longer, anywhere in the chain', async () => {
    const early = await issue('early', root, { from: NOW + 1000, extensions: leaf() });
    const late = await issue('late', root, { to: NOW - 1000, extensions: leaf() });
    assert.equal(verdict([early]), 'notYetValid');
    assert.equal(verdict([late]), 'expired');
    const oldAuthority = await issue('old', root, { to: NOW - 1000, extensions: authority() });
    const fresh = await issue('fresh', oldAuthority, { extensions: leaf() });
    assert.equal(verdict([fresh, oldAuthority]), 'expired');
  });

  test('refuses another name, and checks none that was not asked for', () => {
    assert.equal(
      verdict([good, intermediate], {}, { role: 'server', serverName: 'other.example' }),
      'wrongName',
    );
    assert.equal(verdict([good, intermediate], {}, { role: 'client' }), 'trusted');
  });

  test('refuses a key or certificate made for something else', async () => {
    const agreeing = await issue('a', root, {
      extensions: [new x509.KeyUsagesExtension(keyAgreement, true)],
    });
    assert.equal(verdict([agreeing], {}, { role: 'client' }), 'keyUsage');
    const purpose = (oid: string) =>
      issue('p', root, { extensions: [new x509.ExtendedKeyUsageExtension([oid])] });
    const forClients = await purpose('1.3.6.1.5.5.7.3.2');
    assert.equal(verdict([forClients], {}, { role: 'client' }), 'trusted');
    assert.equal(verdict([forClients], {}, { role: 'server' }), 'keyUsage');
    assert.equal(verdict([await purpose('2.5.29.37.0')], {}, { role: 'server' }), 'trusted');
  });

  test('refuses a critical extension that it does not know', async () => {
    const strange = await issue('s', root, {
      extensions: [new x509.Extension('1.2.3.4', true, Uint8Array.of(5, 0))],
    });
    assert.equal(verdict([strange], {}, { role: 'client' }), 'criticalExtension');
  });

  test('refuses what its issuer revoked, and a list that is out of date, missing or of another', async () => {
    const revoked = await revocationList(intermediate, ['01', '7b']);
    const others = await revocationList(intermediate, ['01']);
    const stale = await revocationList(intermediate, [], NOW - 1000);
    assert.equal(verdict([good, intermediate], { revocationLists: [revoked] }), 'revoked');
    assert.equal(verdict([good, intermediate], { revocationLists: [others] }), 'trusted');
    assert.equal(verdict([good, intermediate], { revocationLists: [stale] }), 'revocationListStale');
    assert.equal(
      verdict([good, intermediate], { revocationLists: [others], requireRevocationList: true }),
      'revocationListMissing',
    );
    const both = [others, await revocationList(root, [])];
    assert.equal(
      verdict([good, intermediate], { revocationLists: both, requireRevocationList: true }),
      'trusted',
    );
    const impostor = await issue('Intermediate', stranger, { extensions: authority() });
    const forged = await revocationList(impostor, ['7b']);
    assert.equal(verdict([good, intermediate], { revocationLists: [forged] }), 'trusted');
  });

  test('refuses what is no certificate, and settings that are none', () => {
    assert.equal(verdict([{ ...good, der: Uint8Array.of(0x30, 0x01, 0x00) }]), 'malformed');
    assert.throws(() => createX509Trust({ anchors: [Uint8Array.of(1)], clock }), { code: 'DTLS_SETTINGS' });
    const revocationLists = [Uint8Array.of(0x30, 0x00)];
    assert.throws(() => createX509Trust({ anchors: [], revocationLists, clock }), { code: 'DTLS_SETTINGS' });
  });
});

describe('reading DER', () => {
  test('a certificate or list cut anywhere gives a decode error', async () => {
    const list = await revocationList(root, ['01', '02']);
    for (const [read, der] of [
      [readCertificateFacts, good.der],
      [readRevocationList, list],
    ] as const) {
      for (let length = 0; length < der.length; length++) {
        assert.throws(() => read(der.subarray(0, length)), { code: 'DTLS_DECODE' }, `${length} bytes`);
      }
      assert.throws(() => read(Buffer.concat([der, Uint8Array.of(0)])), { code: 'DTLS_DECODE' });
    }
  });

  test('damaged bytes give a decode error or a value', async () => {
    const list = await revocationList(root, ['01', '02']);
    const damage = fc.tuple(fc.nat(10_000), fc.nat(255));
    for (const [read, der] of [
      [readCertificateFacts, good.der],
      [readRevocationList, list],
    ] as const) {
      fc.assert(
        fc.property(fc.array(damage, { minLength: 1, maxLength: 3 }), (changes) => {
          const damaged = der.slice();
          for (const [at, value] of changes) damaged[at % damaged.length] = value;
          try {
            read(damaged);
          } catch (error) {
            if (!isSefleetError(error) || error.code !== 'DTLS_DECODE') throw error;
          }
        }),
        { numRuns: 500 },
      );
    }
  });

  test('times are read in both forms', async () => {
    const far = await revocationList(root, [], Date.UTC(2061, 1, 28, 23, 59, 58));
    assert.equal(readRevocationList(far).nextUpdateMs, Date.UTC(2061, 1, 28, 23, 59, 58));
    const near = await revocationList(root, [], Date.UTC(2028, 1, 29, 1, 2, 3));
    assert.equal(readRevocationList(near).nextUpdateMs, Date.UTC(2028, 1, 29, 1, 2, 3));
  });
});

test('certificates authenticate both sides of a handshake, and a revoked one ends it with its alert', async () => {
  const meter = await issue('meter-7', intermediate, { extensions: leaf('meter-7'), serialNumber: '55' });
  const signer = (holder: Holder) =>
    createSoftwareSigningKey({
      privateKey: KeyObject.from(holder.keys.privateKey),
      certificateChain: [holder.der, intermediate.der],
      rawPublicKey: false,
    });
  const trustOf = (revocationLists: readonly Uint8Array[]) => ({
    x509: createX509Trust({ anchors: [root.der], revocationLists, clock }),
  });
  const client = { trust: trustOf([]), signingKey: signer(meter), serverName: 'meter.example' };
  const server = (revoked: readonly Uint8Array[]) => ({
    signingKeyFor: () => signer(good),
    clientAuthentication: 'required' as const,
    trust: trustOf(revoked),
  });
  const world = createWorld({ serverSettings: server([]) });
  const peer = await settled(world, world.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, client));
  assert.ok(await echoes(world, peer, 'hello'));
  const identity = world.server.log.established[0]?.identity;
  assert.equal(identity?.kind === 'x509' && identity.commonName, 'meter-7');
  assert.equal(
    world.server.endpoint.sessionInfo(world.server.log.established[0] ?? peer)?.serverName,
    'meter.example',
  );

  const strict = createWorld({ serverSettings: server([await revocationList(intermediate, ['55'])]) });
  const failed = settled(strict, strict.client.endpoint.connect(SERVER_ADDRESS, SERVER_PORT, client));
  await assert.rejects(failed, { context: { reason: 'alertReceived', alert: 44 } });
  assert.equal(strict.server.log.failures[0]?.reason, 'certificateRevoked');
  assert.ok(await connected(strict));
});
