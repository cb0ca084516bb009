/** What a key is used for; decides how it is made. */
export type KeyUse =
  /** AES-128, from which cards' keys are derived by AES-CMAC (KDF3). */
  | 'aes-cmac'
  /** 32 bytes, from which secrets are derived by HMAC-SHA256. */
  | 'hmac-sha256'
  /** A P-256 key pair that signs. */
  | 'ecdsa-p256'
  /** 16 bytes that are handed to those who open records: kept sealed, opened when asked for. */
  | 'opened';

/** A key as the ledger names it. */
export interface HeldKey {
  /** Unique in the vault, for example `domain key 3`. */
  readonly name: string;
  readonly use: KeyUse;
  /** What the engine gave the ledger to keep when it made the key; undefined when it keeps it itself. */
  readonly sealed: Uint8Array | undefined;
}

/** Seals what is kept beside keys, bound to a name so that nothing can be swapped. */
export interface Sealer {
  seal(name: string, plain: Uint8Array): Uint8Array;
  /** @throws SefleetError `CUSTODY_SEAL_BROKEN` when another key or name sealed it, or it was changed. */
  open(name: string, sealed: Uint8Array): Uint8Array;
}

/** What makes and uses the keys of one party: software, or a token that never lets them out. */
export interface KeyEngine {
  readonly sealer: Sealer;
  /** Makes a key; gives back what the ledger has to keep of it, undefined for nothing. */
  create(name: string, use: KeyUse): Uint8Array | undefined;
  /** AES-CMAC, 16 bytes. */
  cmac(key: HeldKey, data: Uint8Array): Uint8Array;
  /** HMAC-SHA256, 32 bytes. */
  hmac(key: HeldKey, data: Uint8Array): Uint8Array;
  /** ECDSA over SHA-256 of `data`, `r ‖ s`. */
  sign(key: HeldKey, data: Uint8Array): Uint8Array;
  /** SubjectPublicKeyInfo, DER. */
  publicKey(key: HeldKey): Uint8Array;
  /** The bytes of an `opened` key. */
  open(key: HeldKey): Uint8Array;
  /** Lets go of what is in memory of a key. */
  release(name: string): void;
  /** Ends a key for good; one that is gone already is no error. */
  destroy(name: string): void;
  close(): void;
}
