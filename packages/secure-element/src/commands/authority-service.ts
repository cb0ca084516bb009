import { aesCmac, KEY_TYPE, STATUS_WORD } from '@sefleet/globalplatform';
import { P256, publicKeyOf, signMessage } from '../applets/iot-safe/curves.ts';
import { refuse } from '../card/refusal.ts';
import { AUTHORITY_AUTHENTICATION_KEY, keyAt } from '../registry/special-keys.ts';
import { authorityDomain } from './authority-domain.ts';
import type { CommandContext } from './command-context.ts';

/**
 * The signature service of the Controlling Authority's Security Domain (GPC_SPE_007; the global service of
 * family 83 that Java Card knows as `Authority`): what an application gives is signed as it is, with the
 * card's own key of KVN 74, identifier 2.
 *
 * @returns ECDSA with SHA-256, `r ‖ s`, under SK.CASD.AUT, or the AES-CMAC under KS.CASD.AUT; 6985 on a card
 *   without that domain or key, and while the domain is locked.
 */
export function signByAuthority(context: CommandContext, message: Uint8Array): Uint8Array {
  const key = keyAt(authorityDomain(context), AUTHORITY_AUTHENTICATION_KEY);
  switch (key?.type) {
    case KEY_TYPE.EC_PRIVATE: {
      const pair = { privateKey: key.value, publicKey: publicKeyOf(P256, key.value) };
      return signMessage(P256, pair, message, 'sha256');
    }
    case KEY_TYPE.AES:
      return aesCmac(key.value, message);
    default:
      return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
}
