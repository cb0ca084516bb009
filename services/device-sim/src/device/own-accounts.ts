import { bootstrapFromCard, type ObjectTree } from '@sefleet/lwm2m';
import { encodeBootstrapFile, readSmartcardBootstrap } from '@sefleet/secure-element';
import type { BootstrapMode } from './connectivity.ts';
import type { DeviceCard } from './device-card.ts';

/** Where a device may have its accounts from, beside the bootstrap server. */
export interface OwnAccounts {
  readonly bootstrap: BootstrapMode;
  readonly card: DeviceCard;
  /** What the factory wrote into the device: the content of EF(LwM2M_Bootstrap), or empty. */
  readonly factoryAccounts: Uint8Array;
}

/**
 * Bootstrap from the smartcard and factory bootstrap (Core §6.1.3): puts the accounts of the card's or of the
 * device's own memory into the tree.
 *
 * Rejects with `LWM2M_CARD_FILE_INVALID`, `SE_BOOTSTRAP_MALFORMED`, `SE_APPLET_UNAVAILABLE` or
 * `SE_APPLET_REFUSED`; the tree is as it was then.
 */
export async function takeOwnAccounts(
  tree: ObjectTree,
  { bootstrap, card, factoryAccounts }: OwnAccounts,
): Promise<void> {
  if (bootstrap === 'factory') await bootstrapFromCard(tree, factoryAccounts);
  if (bootstrap !== 'smartcard') return;
  const objects = readSmartcardBootstrap((apdu) => card.transmit(apdu));
  await bootstrapFromCard(tree, encodeBootstrapFile(objects));
}
