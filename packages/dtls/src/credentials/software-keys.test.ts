import assert from 'node:assert/strict';
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { decodePskIdentity } from '../handshake/psk-lookup.ts';
import { createSoftwareKeyAgreement } from './software-key-agreement.ts';
import { createSoftwarePsk, pskPremasterSecret } from './software-psk.ts';
import { createSoftwareSigningKey } from './software-signing-key.ts';

describe('pre-shared keys', () => {
  test('the premaster secret has both halves behind their lengths (RFC 4279 §2)', () => {
    assert.equal(toHex(pskPremasterSecret(fromHex('aabb'), fromHex('0000'))), '000200000002aabb');
  });

  test('plain PSK puts as many zeros as the key has bytes in front (RFC 4279 §2)', () => {
    const key = fromHex('aabbcc');
    const request = { label: 'master secret', seed: fromHex('01') } as const;
    const provider = createSoftwarePsk('x', key);
    assert.deepEqual(
      provider.masterSecret(request),
      provider.masterSecret({ ...request, otherSecret: new Uint8Array(3) }),
    );
    assert.equal((provider.masterSecret(request) as Uint8Array).length, 48); // software answers at once
  });

  test('a key has to have bytes, and changing what was handed in changes nothing', () => {
    assert.throws(() => createSoftwarePsk('x', new Uint8Array(0)), { code: 'DTLS_SETTINGS' });
    const key = fromHex('aabbcc');
    const provider = createSoftwarePsk('x', key);
    const request = { label: 'master secret', seed: fromHex('01') } as const;
    const before = provider.masterSecret(request);
    key.fill(0);
    assert.deepEqual(provider.masterSecret(request), before);
  });

  test('an identity that is no UTF-8 is nobody', () => {
    assert.equal(decodePskIdentity(Buffer.from('mètre')), 'mètre');
    assert.equal(decodePskIdentity(Uint8Array.of(0xff)), undefined);
  });
});

describe('ephemeral keys', () => {
  const provider = createSoftwareKeyAgreement();

  for (const [group, length] of [
    ['secp256r1', 65],
    ['x25519', 32],
  ] as const) {
    test(`${group}: both sides come to the same secret`, async () => {
      const [a, b] = [await provider.generate(group), await provider.generate(group)];
      assert.equal(a.publicKey.length, length);
      assert.equal(toHex(await a.sharedSecret(b.publicKey)), toHex(await b.sharedSecret(a.publicKey)));
    });

    test(`${group}: what is no public key is refused`, async () => {
      const key = await provider.generate(group);
      for (const bad of [new Uint8Array(0), new Uint8Array(length), new Uint8Array(length - 1).fill(4)]) {
        assert.throws(() => key.sharedSecret(bad), `${bad.length} bytes`);
      }
    });
  }

  test('x25519 with the base point gives the public key (RFC 7748 §6.1)', async () => {
    const alice = await provider.generate('x25519');
    const basePoint = new Uint8Array(32);
    basePoint[0] = 9;
    assert.equal(toHex(await alice.sharedSecret(basePoint)), toHex(alice.publicKey));
  });
});

describe('signing keys', () => {
  test('sign with ECDSA over SHA-256 and offer the raw public key', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const key = createSoftwareSigningKey({ privateKey });
    const message = Buffer.from('covered');
    assert.ok(
      createVerify('sha256')
        .update(message)
        .verify(publicKey, await key.sign(message)),
    );
    assert.deepEqual(key.subjectPublicKeyInfo, publicKey.export({ format: 'der', type: 'spki' }));
    assert.equal(
      createSoftwareSigningKey({ privateKey, rawPublicKey: false }).subjectPublicKeyInfo,
      undefined,
    );
  });

  test('on another curve or of another kind are refused', () => {
    for (const { privateKey } of [
      generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
      generateKeyPairSync('ed25519'),
    ]) {
      assert.throws(() => createSoftwareSigningKey({ privateKey }), { code: 'DTLS_SETTINGS' });
    }
  });
});
