import { concatBytes } from '@sefleet/bytes';
import { AES_BLOCK } from '@sefleet/globalplatform';
import type { KeyEncryptor } from '@sefleet/globalplatform';

/** The length of a secret in the clear, then the secret filled up with zeros and encrypted. */
export function wrapSecret(session: KeyEncryptor, secret: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(secret.length / AES_BLOCK) * AES_BLOCK);
  padded.set(secret);
  return concatBytes(Uint8Array.of(secret.length), session.encryptSensitive(padded));
}
