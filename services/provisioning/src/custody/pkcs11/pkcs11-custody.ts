import { partyId, type PartyId } from '../../domain/party.ts';
import { provisioningError } from '../../errors.ts';
import type { KeyCustody } from '../key-custody.ts';
import { openVaults, type CustodyOptions } from '../open-vaults.ts';
import { loadCryptoki } from './cryptoki.ts';
import { PinFile } from './pin-file.ts';
import { TokenEngine } from './token-engine.ts';
import { findSlot, initialiseToken, Pkcs11Token } from './token.ts';

/** Whose token seals card images: the one that makes the chips. */
const CHIP_MAKER = partyId('chip-works');

/**
 * Custody in PKCS#11 tokens, one a party, each with a PIN of its own.
 *
 * @param options.module Path of the PKCS#11 library.
 * @param options.pinFile See {@link PinFile}.
 * @throws SefleetError `CUSTODY_TOKEN_UNAVAILABLE`, `CUSTODY_PIN_FILE_INVALID`.
 */
export function createPkcs11Custody(
  options: CustodyOptions & { readonly module: string; readonly pinFile: string },
): KeyCustody {
  const pins = new PinFile(options.pinFile);
  const cryptoki = loadCryptoki(options.module);
  const engines = new Map<PartyId, TokenEngine>();
  const open = (party: PartyId): Pkcs11Token => {
    const label = pins.labelOf(party);
    const { pin } = pins.pinOf(party);
    const slot = findSlot(cryptoki, label) ?? make(label, pin);
    return Pkcs11Token.open(cryptoki, slot, pin);
  };
  const make = (label: string, pin: string): bigint => {
    if (pins.officerPin !== undefined) return initialiseToken(cryptoki, label, pins.officerPin, pin);
    throw provisioningError('CUSTODY_TOKEN_UNAVAILABLE', `no token is called ${label}`, {
      hint: 'Make the token, or let the PIN file be made: then tokens are, too.',
    });
  };
  const engineOf = (party: PartyId): TokenEngine => {
    const known = engines.get(party);
    if (known !== undefined) return known;
    const engine = new TokenEngine(() => open(party));
    engines.set(party, engine);
    return engine;
  };
  return openVaults(options, {
    of: engineOf,
    images: {
      seal: (name, plain) => engineOf(CHIP_MAKER).sealer.seal(name, plain),
      open: (name, sealed) => engineOf(CHIP_MAKER).sealer.open(name, sealed),
    },
    close: () => {
      for (const engine of engines.values()) engine.close();
      cryptoki.close();
    },
  });
}
