import { createHash, randomBytes } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { decodeOnlyTlv } from '@sefleet/globalplatform';
import { provisioningError } from '../../errors.ts';
import type { HeldKey, KeyEngine, KeyUse, Sealer } from '../key-engine.ts';
import type { Attribute } from './call-memory.ts';
import { CKA, CKK, CKM, CKO } from './cryptoki-constants.ts';
import { isTokenGone, type Pkcs11Token } from './token.ts';

const MAC_BYTES = 16;
const HMAC_BYTES = 32;
const SIGNATURE_BYTES = 64;
const OPENED_BYTES = 16;
const NONCE_BYTES = 12;
const SEAL_NAME = 'seal';
/** Of prime256v1, DER. */
const P256 = Uint8Array.of(0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07);
/** SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480 §2). */
const P256_INFO = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/** Stays in the token, is used there, and cannot be read even with the PIN. */
const KEPT: readonly Attribute[] = [
  [CKA.TOKEN, true],
  [CKA.PRIVATE, true],
  [CKA.SENSITIVE, true],
  [CKA.EXTRACTABLE, false],
];

/**
 * The keys of one party in a PKCS#11 token of its own. They are made there and never leave it: the token
 * derives (AES-CMAC, HMAC), signs (ECDSA) and seals (AES-GCM). Only keys that are to be opened, and agreed
 * secrets, leave it; outside they are sealed by a key of the token.
 */
export class TokenEngine implements KeyEngine {
  readonly sealer: Sealer;
  readonly #reopen: () => Pkcs11Token;
  #token: Pkcs11Token;
  readonly #handles = new Map<string, bigint>();
  readonly #opened = new Map<string, Uint8Array>();

  /** @param open Logs into the party's token. */
  constructor(open: () => Pkcs11Token) {
    this.#reopen = open;
    this.#token = open();
    this.sealer = {
      seal: (name, plain) => this.#seal(name, plain),
      open: (name, data) => this.#unseal(name, data),
    };
  }

  create(name: string, use: KeyUse): Uint8Array | undefined {
    if (use === 'opened') return this.sealer.seal(name, randomBytes(OPENED_BYTES));
    // One that a killed process made without telling the ledger: it never left the token, and nobody used it.
    if (this.#find(name, use) === undefined) this.#make(name, use);
    return undefined;
  }

  cmac(key: HeldKey, data: Uint8Array): Uint8Array {
    return this.#use(key, (token, handle) => token.sign(handle, CKM.AES_CMAC, data, MAC_BYTES));
  }

  hmac(key: HeldKey, data: Uint8Array): Uint8Array {
    return this.#use(key, (token, handle) => token.sign(handle, CKM.SHA256_HMAC, data, HMAC_BYTES));
  }

  sign(key: HeldKey, data: Uint8Array): Uint8Array {
    const digest = createHash('sha256').update(data).digest();
    return this.#use(key, (token, handle) => token.sign(handle, CKM.ECDSA, digest, SIGNATURE_BYTES));
  }

  publicKey({ name }: HeldKey): Uint8Array {
    return this.#run((token) => {
      const half = token.find(CKO.PUBLIC_KEY, name);
      if (half === undefined) throw missing(name);
      // CKA_EC_POINT is the point inside a DER OCTET STRING (PKCS#11 2.40, current mechanisms §2.3.3).
      return concatBytes(P256_INFO, decodeOnlyTlv(token.attribute(half, CKA.EC_POINT), 0x04));
    });
  }

  open({ name, sealed }: HeldKey): Uint8Array {
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    if (sealed === undefined) throw missing(name);
    const secret = this.sealer.open(name, sealed);
    this.#opened.set(name, secret);
    return secret;
  }

  release(name: string): void {
    this.#opened.get(name)?.fill(0);
    this.#opened.delete(name);
    this.#handles.delete(name);
  }

  destroy(name: string): void {
    this.release(name);
    this.#run((token) => {
      for (const half of [CKO.SECRET_KEY, CKO.PRIVATE_KEY, CKO.PUBLIC_KEY]) {
        const object = token.find(half, name);
        if (object !== undefined) token.destroy(object);
      }
    });
  }

  close(): void {
    for (const name of this.#opened.keys()) this.release(name);
    this.#token.close();
  }

  #make(name: string, use: Exclude<KeyUse, 'opened'>): void {
    const label: Attribute = [CKA.LABEL, Buffer.from(name)];
    this.#run((token) => {
      switch (use) {
        case 'aes-cmac':
          token.generateKey(CKM.AES_KEY_GEN, [label, ...secret(CKK.AES, 16n), [CKA.SIGN, true]]);
          break;
        case 'hmac-sha256':
          token.generateKey(CKM.GENERIC_SECRET_KEY_GEN, [
            label,
            ...secret(CKK.GENERIC_SECRET, 32n),
            [CKA.SIGN, true],
          ]);
          break;
        case 'ecdsa-p256':
          token.generateKeyPair(
            [label, [CKA.TOKEN, true], [CKA.VERIFY, true], [CKA.EC_PARAMS, P256]],
            [label, ...KEPT, [CKA.SIGN, true]],
          );
      }
    });
  }

  #seal(name: string, plain: Uint8Array): Uint8Array {
    return this.#run((token) =>
      token.seal(this.#sealKey(), randomBytes(NONCE_BYTES), Buffer.from(name), plain),
    );
  }

  #unseal(name: string, sealed: Uint8Array): Uint8Array {
    const plain = this.#run((token) => token.unseal(this.#sealKey(), Buffer.from(name), sealed));
    if (plain !== undefined) return plain;
    throw provisioningError('CUSTODY_SEAL_BROKEN', `${name} does not open`, {
      hint: 'Use the token and the data folder that belong together.',
    });
  }

  #sealKey(): bigint {
    const known = this.#handles.get(SEAL_NAME);
    if (known !== undefined) return known;
    const handle =
      this.#token.find(CKO.SECRET_KEY, SEAL_NAME) ??
      this.#token.generateKey(CKM.AES_KEY_GEN, [
        [CKA.LABEL, Buffer.from(SEAL_NAME)],
        ...secret(CKK.AES, 32n),
        [CKA.ENCRYPT, true],
        [CKA.DECRYPT, true],
      ]);
    this.#handles.set(SEAL_NAME, handle);
    return handle;
  }

  #find(name: string, use: KeyUse): bigint | undefined {
    const objectClass = use === 'ecdsa-p256' ? CKO.PRIVATE_KEY : CKO.SECRET_KEY;
    return this.#run((token) => token.find(objectClass, name));
  }

  #use<T>({ name, use }: HeldKey, run: (token: Pkcs11Token, handle: bigint) => T): T {
    return this.#run((token) => {
      const handle = this.#handles.get(name) ?? this.#find(name, use);
      if (handle === undefined) throw missing(name);
      this.#handles.set(name, handle);
      return run(token, handle);
    });
  }

  /** Logs in again, once, when the session has gone: the token was unplugged or another program reset it. */
  #run<T>(run: (token: Pkcs11Token) => T): T {
    try {
      return run(this.#token);
    } catch (error) {
      const gone = isSefleetError(error, 'CUSTODY_TOKEN_REFUSED') && isTokenGone(error.context['code']);
      if (!gone) throw error;
      this.#handles.clear();
      this.#token = this.#reopen();
      return run(this.#token);
    }
  }
}

function secret(keyType: bigint, bytes: bigint): readonly Attribute[] {
  return [...KEPT, [CKA.KEY_TYPE, keyType], [CKA.VALUE_LEN, bytes]];
}

function missing(name: string): Error {
  return provisioningError('CUSTODY_KEY_NOT_FOUND', `the token has no ${name}`);
}
