import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import type { Sealer } from '../key-engine.ts';
import { provisioningError } from '../../errors.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/**
 * Seals and opens with one key: AES-256-GCM with a random nonce, bound to a name so that nothing can be
 * swapped.
 */
export class Seal implements Sealer {
  readonly #key: Uint8Array;

  /** @param owner Whose seal it is: the key is derived from the root key and this name. */
  constructor(rootKey: Uint8Array, owner: string) {
    this.#key = new Uint8Array(hkdfSync('sha256', rootKey, owner, 'sefleet vault seal', KEY_BYTES));
  }

  seal(name: string, plain: Uint8Array): Uint8Array {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name));
    const body = cipher.update(plain);
    cipher.final();
    return concatBytes(nonce, body, cipher.getAuthTag());
  }

  /**
   * @throws SefleetError `CUSTODY_SEAL_BROKEN` when it was sealed by another key, for another name, or
   * changed.
   */
  open(name: string, sealed: Uint8Array): Uint8Array {
    try {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const tag = sealed.subarray(sealed.length - TAG_BYTES);
      const decipher = createDecipheriv('aes-256-gcm', this.#key, nonce)
        .setAAD(Buffer.from(name))
        .setAuthTag(tag);
      const plain = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
      decipher.final();
      return plain;
    } catch (cause) {
      throw provisioningError('CUSTODY_SEAL_BROKEN', `${name} does not open`, {
        cause,
        hint: 'Set SEFLEET_VAULT_KEY to the key that the data folder was made with, or use another data folder.',
      });
    }
  }
}
