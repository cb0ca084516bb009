import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { concatBytes, fromHex } from '@sefleet/bytes';
import type { NamedGroup } from '../constants.ts';
import type { KeyAgreement, KeyAgreementProvider } from './key-providers.ts';

/** Ephemeral keys made and used by `node:crypto`; P-256 first, as RFC 7925 §4.4 makes it mandatory. */
export function createSoftwareKeyAgreement(
  groups: readonly NamedGroup[] = ['secp256r1', 'x25519'],
): KeyAgreementProvider {
  return { groups, generate: (group) => (group === 'secp256r1' ? generateP256() : generateX25519()) };
}

function generateP256(): KeyAgreement {
  const ecdh = createECDH('prime256v1');
  const publicKey = ecdh.generateKeys();
  // OpenSSL refuses a point that is not on the curve.
  return { publicKey, sharedSecret: (peer) => ecdh.computeSecret(peer) };
}

function generateX25519(): KeyAgreement {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const encoded = publicKey.export({ format: 'der', type: 'spki' });
  return {
    publicKey: encoded.subarray(X25519_SPKI_PREFIX.length),
    sharedSecret: (peer) => {
      const key = concatBytes(X25519_SPKI_PREFIX, peer);
      // OpenSSL refuses the all-zero result of a point of small order (RFC 7748 §6.1).
      return diffieHellman({
        privateKey,
        publicKey: createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' }),
      });
    },
  };
}

/** A SubjectPublicKeyInfo for X25519 up to the key itself. RFC 8410 §4. */
const X25519_SPKI_PREFIX = fromHex('302a300506032b656e032100');
