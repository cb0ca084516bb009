import { concatBytes } from '@sefleet/bytes';
import { DERIVATION_CONSTANT, deriveScp03 } from '../crypto/key-derivation.ts';
import type { StaticKeys } from '../crypto/key-derivation.ts';

/**
 * The keys of one secure channel session. `dek` encrypts sensitive data: static in SCP03, of the session in
 * SCP11.
 */
export interface SessionKeys {
  readonly enc: Uint8Array;
  readonly mac: Uint8Array;
  readonly rmac: Uint8Array;
  readonly dek: Uint8Array;
}

/** Bits of the SCP03 parameter "i" (GPC_SPE_014 §5.1). */
export const SCP03_I = { S16: 0x01, PSEUDO_RANDOM_CHALLENGE: 0x10, R_MAC: 0x20, R_ENC: 0x40 } as const;

/** Length of challenges, cryptograms and MACs on the wire: 16 in S16 mode, else 8. */
export function scp03FieldLength(i: number): 8 | 16 {
  return (i & SCP03_I.S16) === 0 ? 8 : 16;
}

/** The keys of a session (GPC_SPE_014 §6.2.1). */
export function deriveSessionKeys(
  keys: StaticKeys,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): SessionKeys {
  const context = concatBytes(hostChallenge, cardChallenge);
  return {
    enc: deriveScp03(keys.enc, DERIVATION_CONSTANT.S_ENC, context, keys.enc.length),
    mac: deriveScp03(keys.mac, DERIVATION_CONSTANT.S_MAC, context, keys.mac.length),
    rmac: deriveScp03(keys.mac, DERIVATION_CONSTANT.S_RMAC, context, keys.mac.length),
    dek: keys.dek,
  };
}

/** The cryptogram of one side (GPC_SPE_014 §6.2.2); as long as the challenges. */
export function scp03Cryptogram(
  side: 'card' | 'host',
  sessionMac: Uint8Array,
  hostChallenge: Uint8Array,
  cardChallenge: Uint8Array,
): Uint8Array {
  const constant =
    side === 'card' ? DERIVATION_CONSTANT.CARD_CRYPTOGRAM : DERIVATION_CONSTANT.HOST_CRYPTOGRAM;
  return deriveScp03(sessionMac, constant, concatBytes(hostChallenge, cardChallenge), hostChallenge.length);
}

/** The pseudo-random card challenge (GPC_SPE_014 §6.2.2.1) from the sequence counter and the domain's AID. */
export function scp03CardChallenge(
  encKey: Uint8Array,
  sequence: number,
  domainAid: Uint8Array,
  length: 8 | 16,
): Uint8Array {
  const context = concatBytes(Uint8Array.of(sequence >> 16, sequence >> 8, sequence), domainAid);
  return deriveScp03(encKey, DERIVATION_CONSTANT.CARD_CHALLENGE, context, length);
}
