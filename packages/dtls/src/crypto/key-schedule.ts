import { concatBytes } from '@sefleet/bytes';
import { MASTER_SECRET_LENGTH, VERIFY_DATA_LENGTH } from '../constants.ts';
import { prf } from './prf.ts';

/** What both sides know once keys are exchanged. */
export interface HandshakeSecrets {
  readonly masterSecret: Uint8Array;
  readonly clientRandom: Uint8Array;
  readonly serverRandom: Uint8Array;
}

/**
 * The keys of a session in the order of RFC 5246 §6.3: client key, server key, client salt, server salt. AEAD
 * suites have no MAC keys and 4 bytes of salt (RFC 6655 §3, RFC 5288 §3).
 */
export const KEY_BLOCK_LENGTH = 40;

export function deriveKeyBlock(secrets: HandshakeSecrets): Uint8Array {
  const seed = concatBytes(secrets.serverRandom, secrets.clientRandom);
  return prf(secrets.masterSecret, 'key expansion', seed, KEY_BLOCK_LENGTH);
}

/** RFC 5246 §7.4.9. */
export function deriveVerifyData(
  masterSecret: Uint8Array,
  sender: 'client' | 'server',
  transcriptHash: Uint8Array,
): Uint8Array {
  return prf(masterSecret, `${sender} finished`, transcriptHash, VERIFY_DATA_LENGTH);
}

/** RFC 5246 §8.1 and RFC 7627 §4. */
export function deriveMasterSecret(
  premasterSecret: Uint8Array,
  label: 'master secret' | 'extended master secret',
  seed: Uint8Array,
): Uint8Array {
  return prf(premasterSecret, label, seed, MASTER_SECRET_LENGTH);
}
