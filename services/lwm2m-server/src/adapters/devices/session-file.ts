import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/**
 * Keeps DTLS sessions over a restart, sealed under a key derived from the service's private key: whoever
 * copies the file alone learns nothing.
 */
export class SessionFile {
  readonly #path: string;
  readonly #key: Buffer;

  constructor(path: string, privateKey: Uint8Array) {
    this.#path = path;
    this.#key = Buffer.from(hkdfSync('sha256', privateKey, '', 'sefleet dtls session file v1', KEY_BYTES));
  }

  save(sessions: Uint8Array): void {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    const sealed = Buffer.concat([cipher.update(sessions), cipher.final()]);
    writeFileSync(`${this.#path}.draft`, Buffer.concat([nonce, cipher.getAuthTag(), sealed]), {
      mode: 0o600,
    });
    renameSync(`${this.#path}.draft`, this.#path);
  }

  /**
   * The sessions that were saved, once: the file is gone before anybody uses them, since two processes
   * that send with one key would repeat nonces. Undefined when there is none, or it was made with another
   * key.
   */
  take(): Uint8Array | undefined {
    if (!existsSync(this.#path)) return undefined;
    const data = readFileSync(this.#path);
    rmSync(this.#path);
    try {
      const decipher = createDecipheriv(CIPHER, this.#key, data.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(data.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(data.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
    } catch {
      // A damaged or foreign file: devices make new sessions.
      return undefined;
    }
  }
}
