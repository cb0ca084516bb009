import { concatBytes } from '@sefleet/bytes';
import { deriveMasterSecret } from '../crypto/key-schedule.ts';
import { dtlsError } from '../errors.ts';
import type { PskKeyProvider } from './key-providers.ts';

/**
 * RFC 4279 §5.3: identities of up to 128 bytes and keys of up to 64 are to be supported; the wire allows
 * 65,535.
 */
const KEY_LENGTH_MAX = 0xffff;

/**
 * A pre-shared key held in memory.
 *
 * @param identity the PSK identity
 * @param key 1 to 65,535 bytes; copied
 * @throws SefleetError `DTLS_SETTINGS` when the key is empty or too long
 */
export function createSoftwarePsk(identity: string, key: Uint8Array): PskKeyProvider {
  if (key.length === 0 || key.length > KEY_LENGTH_MAX) {
    throw dtlsError('DTLS_SETTINGS', 'a pre-shared key has 1 to 65535 bytes', { context: { identity } });
  }
  const held = key.slice();
  return {
    identity,
    masterSecret: ({ label, seed, otherSecret }) => {
      // RFC 4279 §2: for plain PSK the other secret is as many zeros as the key has bytes.
      const premaster = pskPremasterSecret(held, otherSecret ?? new Uint8Array(held.length));
      const masterSecret = deriveMasterSecret(premaster, label, seed);
      premaster.fill(0);
      return masterSecret;
    },
  };
}

/** RFC 4279 §2 and RFC 5489 §2: both secrets, each behind its length. */
export function pskPremasterSecret(psk: Uint8Array, otherSecret: Uint8Array): Uint8Array {
  return concatBytes(lengthOf(otherSecret), otherSecret, lengthOf(psk), psk);
}

function lengthOf(secret: Uint8Array): Uint8Array {
  return Uint8Array.of(secret.length >> 8, secret.length & 0xff);
}
