import { aidBytes, type Aid, type CommandApdu, type KeyEncryptor } from '@sefleet/globalplatform';
import { iotSafePersonalisationCommands } from '@sefleet/secure-element';
import type { PartyVault } from '../custody/key-custody.ts';
import { STAKEHOLDER_PSK_CONTAINER } from '../domain/card-plan.ts';
import { FIRST_PSK_VERSION, PSK_BYTES, stakeholderPskLabel } from './first-keys.ts';

/** The PSK of a device's account on the server of the stakeholder whose vault it is. */
export function stakeholderPsk(vault: PartyVault, endpoint: string): Promise<Uint8Array> {
  return vault.derive('psk', FIRST_PSK_VERSION, stakeholderPskLabel(endpoint), PSK_BYTES);
}

/**
 * The commands by which a stakeholder puts its PSK into its credential applet, in a session with its own
 * domain: nobody on the way learns it.
 */
export async function credentialCommands(
  session: KeyEncryptor,
  vault: PartyVault,
  application: Aid,
  endpoint: string,
): Promise<readonly CommandApdu[]> {
  return iotSafePersonalisationCommands(session, aidBytes(application), [
    {
      kind: 'secret',
      id: Uint8Array.of(STAKEHOLDER_PSK_CONTAINER),
      label: 'account PSK',
      value: await stakeholderPsk(vault, endpoint),
    },
  ]);
}
