import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { aesCmac } from '@sefleet/globalplatform';
import { provisioningError } from '../../errors.ts';
import type { HeldKey, KeyEngine, KeyUse, Sealer } from '../key-engine.ts';

const BYTES = { 'aes-cmac': 16, 'hmac-sha256': 32, opened: 16 } as const;

/** Keys in this process, sealed at rest. Opened keys stay in memory until they are released. */
export class SoftwareEngine implements KeyEngine {
  readonly sealer: Sealer;
  readonly #opened = new Map<string, Uint8Array>();
  readonly #signing = new Map<string, KeyObject>();

  constructor(sealer: Sealer) {
    this.sealer = sealer;
  }

  create(name: string, use: KeyUse): Uint8Array {
    return this.sealer.seal(name, use === 'ecdsa-p256' ? newKeyPair() : randomBytes(BYTES[use]));
  }

  cmac(key: HeldKey, data: Uint8Array): Uint8Array {
    return aesCmac(this.#secret(key), data);
  }

  hmac(key: HeldKey, data: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#secret(key)).update(data).digest();
  }

  sign(key: HeldKey, data: Uint8Array): Uint8Array {
    return sign('sha256', data, { key: this.#privateKey(key), dsaEncoding: 'ieee-p1363' });
  }

  publicKey(key: HeldKey): Uint8Array {
    return createPublicKey(this.#privateKey(key)).export({ type: 'spki', format: 'der' });
  }

  open(key: HeldKey): Uint8Array {
    return this.#secret(key);
  }

  release(name: string): void {
    this.#opened.get(name)?.fill(0);
    this.#opened.delete(name);
    this.#signing.delete(name);
  }

  /** The ledger wipes what it kept: nothing is left here. */
  destroy(name: string): void {
    this.release(name);
  }

  close(): void {
    for (const name of this.#opened.keys()) this.release(name);
  }

  #secret({ name, sealed }: HeldKey): Uint8Array {
    const open = this.#opened.get(name);
    if (open !== undefined) return open;
    if (sealed === undefined) {
      throw provisioningError('CUSTODY_KEY_NOT_FOUND', `${name} is not in this vault`, {
        hint: 'A data folder that was made with SEFLEET_CUSTODY=pkcs11 needs that setting.',
      });
    }
    const secret = this.sealer.open(name, sealed);
    this.#opened.set(name, secret);
    return secret;
  }

  #privateKey(key: HeldKey): KeyObject {
    const known = this.#signing.get(key.name);
    if (known !== undefined) return known;
    const der = Buffer.from(this.#secret(key));
    const privateKey = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' });
    this.#signing.set(key.name, privateKey);
    return privateKey;
  }
}

function newKeyPair(): Uint8Array {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'der' });
}
