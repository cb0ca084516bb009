import type { NamedGroup } from '../constants.ts';

/** What the handshake asks of whoever holds a pre-shared key. */
export interface MasterSecretRequest {
  /** RFC 5246 §8.1, or RFC 7627 §4 when both sides know the extended master secret. */
  readonly label: 'master secret' | 'extended master secret';
  /** Both randoms, or the session hash. */
  readonly seed: Uint8Array;
  /** The ECDH shared secret of an ECDHE_PSK suite (RFC 5489 §2); absent for plain PSK (RFC 4279 §2). */
  readonly otherSecret?: Uint8Array;
}

/**
 * Holds one pre-shared key and never shows it: building the premaster secret and running the PRF happen
 * inside. A secure element is one implementation, {@link createSoftwarePsk} another.
 */
export interface PskKeyProvider {
  /** The PSK identity as it travels, UTF-8. RFC 4279 §5.1. */
  readonly identity: string;
  /** The 48-byte master secret for `request`. A rejection fails the handshake with `internal_error`. */
  masterSecret(request: MasterSecretRequest): Uint8Array | Promise<Uint8Array>;
}

/**
 * Holds one P-256 private key and what proves its public half: a certificate chain, a raw public key, or
 * both.
 */
export interface SigningKeyProvider {
  /** DER certificates, the holder's own first, the root left out. */
  readonly certificateChain?: readonly Uint8Array[];
  /** DER SubjectPublicKeyInfo (RFC 7250 §3). Without it raw public keys are not offered. */
  readonly subjectPublicKeyInfo?: Uint8Array;
  /** The DER-encoded ECDSA signature over the SHA-256 digest of `message`. */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Makes ephemeral keys for ECDHE. */
export interface KeyAgreementProvider {
  /** In order of preference. */
  readonly groups: readonly NamedGroup[];
  generate(group: NamedGroup): KeyAgreement | Promise<KeyAgreement>;
}

/** One ephemeral private key, for one handshake. */
export interface KeyAgreement {
  /**
   * As it travels: an uncompressed point for P-256 (RFC 8422 §5.4.1), 32 bytes for X25519 (RFC 7748 §6.1).
   */
  readonly publicKey: Uint8Array;
  /** The shared secret with the peer's public key; throws when that is no valid key. */
  sharedSecret(peerPublicKey: Uint8Array): Uint8Array | Promise<Uint8Array>;
}
