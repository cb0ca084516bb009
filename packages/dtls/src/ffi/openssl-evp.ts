import { dlopen, getRawPointer } from 'node:ffi';

/**
 * The unsafe part, and all of it: OpenSSL's EVP functions by their C signatures, and one block of memory
 * that they read and write. A wrong signature or offset corrupts the process, so lengths are checked before
 * any call.
 */
const P = 'pointer';
const I = 'int32';
const { functions: evp } = dlopen(null, {
  EVP_CIPHER_CTX_new: { arguments: [], return: P },
  EVP_aes_128_ccm: { arguments: [], return: P },
  EVP_aes_128_gcm: { arguments: [], return: P },
  EVP_CipherInit_ex: { arguments: [P, P, P, P, P, I], return: I },
  EVP_CipherUpdate: { arguments: [P, P, P, P, I], return: I },
  EVP_CipherFinal_ex: { arguments: [P, P, P], return: I },
  EVP_CIPHER_CTX_ctrl: { arguments: [P, I, I, P], return: I },
});

const NULL = 0n;
const EVP_CTRL_AEAD_SET_IVLEN = 0x9;
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

// More than 64 bytes, so the memory lies outside of the garbage collector's heap and never moves.
const memory = new Uint8Array(0x10000);
const base = getRawPointer(memory);
const KEY = 0;
const NONCE = 0x20;
const TAG = 0x40;
const LENGTH = 0x60;
const AAD = 0x100;
const INPUT = 0x400;
const OUTPUT = 0x8000;
const KEY_LENGTH = 16;
const NONCE_LENGTH = 12;
const TAG_LENGTH_MAX = 16;
const AAD_LENGTH_MAX = INPUT - AAD;
/** Half of the memory each, with room for a block more than OpenSSL may write. */
const DATA_LENGTH_MAX = OUTPUT - INPUT - 0x100;

const address = (offset: number): bigint => base + BigInt(offset);
const at = {
  key: address(KEY),
  nonce: address(NONCE),
  tag: address(TAG),
  length: address(LENGTH),
  aad: address(AAD),
  input: address(INPUT),
  output: address(OUTPUT),
};

/** One AEAD in one direction; it serves every key, one call after the other. */
export class EvpAead {
  readonly #context: bigint;
  readonly #isCcm: boolean;
  readonly #encrypts: boolean;
  readonly #tagLength: number;

  constructor(algorithm: 'aes-128-ccm' | 'aes-128-gcm', tagLength: number, encrypts: boolean) {
    this.#isCcm = algorithm === 'aes-128-ccm';
    this.#encrypts = encrypts;
    this.#tagLength = tagLength;
    this.#context = evp.EVP_CIPHER_CTX_new();
    const cipher = this.#isCcm ? evp.EVP_aes_128_ccm() : evp.EVP_aes_128_gcm();
    evp.EVP_CipherInit_ex(this.#context, cipher, NULL, NULL, NULL, encrypts ? 1 : 0);
    evp.EVP_CIPHER_CTX_ctrl(this.#context, EVP_CTRL_AEAD_SET_IVLEN, NONCE_LENGTH, NULL);
    if (this.#isCcm) evp.EVP_CIPHER_CTX_ctrl(this.#context, EVP_CTRL_AEAD_SET_TAG, tagLength, NULL);
  }

  /** Encrypts or decrypts. Gives views of the result and of the tag, valid until the next call. */
  run(
    key: Uint8Array,
    nonce: Uint8Array,
    additionalData: Uint8Array,
    data: Uint8Array,
    tag: Uint8Array | undefined,
  ): { readonly output: Uint8Array; readonly tag: Uint8Array } | undefined {
    if (key.length !== KEY_LENGTH || nonce.length !== NONCE_LENGTH) return undefined;
    if (additionalData.length > AAD_LENGTH_MAX || data.length > DATA_LENGTH_MAX) return undefined;
    if (!this.#encrypts && tag?.length !== this.#tagLength) return undefined;
    memory.set(key, KEY);
    memory.set(nonce, NONCE);
    memory.set(additionalData, AAD);
    memory.set(data, INPUT);
    if (tag !== undefined && tag.length <= TAG_LENGTH_MAX) memory.set(tag, TAG);
    if (!this.#calls(additionalData.length, data.length)) return undefined;
    return {
      output: memory.subarray(OUTPUT, OUTPUT + data.length),
      tag: memory.subarray(TAG, TAG + this.#tagLength),
    };
  }

  #calls(aadLength: number, length: number): boolean {
    const context = this.#context;
    const mode = this.#encrypts ? 1 : 0;
    if (!this.#encrypts) evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, this.#tagLength, at.tag);
    if (evp.EVP_CipherInit_ex(context, NULL, NULL, at.key, at.nonce, mode) !== 1) return false;
    // CCM wants to know the length of everything before the first byte, and checks the tag with the data.
    if (this.#isCcm && evp.EVP_CipherUpdate(context, NULL, at.length, NULL, length) !== 1) return false;
    if (evp.EVP_CipherUpdate(context, NULL, at.length, at.aad, aadLength) !== 1) return false;
    if (evp.EVP_CipherUpdate(context, at.output, at.length, at.input, length) !== 1) return false;
    if (this.#isCcm && !this.#encrypts) return true;
    if (evp.EVP_CipherFinal_ex(context, at.output, at.length) !== 1) return false;
    if (!this.#encrypts) return true;
    return evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, this.#tagLength, at.tag) === 1;
  }
}
