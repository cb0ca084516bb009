import type { CipherSuite } from '../cipher-suites.ts';

/**
 * One record's worth of authenticated encryption. The arrays may be views, and may be reused after the
 * call.
 */
export interface RecordCipherJob {
  readonly suite: CipherSuite;
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly additionalData: Uint8Array;
  /** What is sealed, or ciphertext with the tag behind it. */
  readonly data: Uint8Array;
}

/**
 * The AEAD of records, as a port: `node:crypto` is one implementation, OpenSSL called directly another.
 */
export interface RecordCipher {
  /** Writes ciphertext and tag at `at` of `out`, which has room for them. */
  seal(job: RecordCipherJob, out: Uint8Array, at: number): void;
  /**
   * The plaintext, in an array of its own; undefined when the tag is wrong. `data` is no shorter than a
   * tag.
   */
  open(job: RecordCipherJob): Uint8Array | undefined;
}
