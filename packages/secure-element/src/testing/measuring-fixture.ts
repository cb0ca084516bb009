import { fromHex } from '@sefleet/bytes';
import { deriveRecordKey } from '@sefleet/cose';
import { aid, aidBytes, openScp03Session } from '@sefleet/globalplatform';
import type { Aid, SecurityLevel, SecureChannelSession, StaticKeys } from '@sefleet/globalplatform';
import type { SecureElement } from '../card/secure-element.ts';
import { recordAccountCommands } from '../clients/record-account.ts';
import { cardWithApplet, open, seededRng, select, sendAll, SUPPLIER, testKeys } from './card-fixture.ts';
import type { CardDoor } from './card-fixture.ts';

/** Keys of the stakeholder that the applets of these tests belong to. */
export const OWNER_KEYS = testKeys('supplier');
export const MEASURING_INSTANCE = aid('F07365666C65657401AA');
export const MEASURING_ENDPOINT = 'urn:dev:sefleet:meter-000001';
export const MEASURING_RECORD_KEY = deriveRecordKey(
  fromHex('000102030405060708090a0b0c0d0e0f'),
  MEASURING_ENDPOINT,
);

/** A card with one measuring applet in the domain of its stakeholder, who has stored its record account. */
export async function measuringCard(code: {
  readonly loadFile: Aid;
  readonly module: Aid;
}): Promise<SecureElement> {
  const card = await cardWithApplet({ ...code, instance: MEASURING_INSTANCE }, OWNER_KEYS);
  const session = await open(card, SUPPLIER, OWNER_KEYS);
  const owner = { stakeholder: 'northern-power', keyVersion: 3, endpoint: MEASURING_ENDPOINT };
  await sendAll(session, recordAccountCommands(session, { ...owner, recordKey: MEASURING_RECORD_KEY }));
  return card;
}

/** A session that is opened on the applet itself, with whatever keys. */
export async function openOnApplet(
  card: CardDoor,
  keys: StaticKeys = OWNER_KEYS,
  level: SecurityLevel = 0x33,
  application: Aid = MEASURING_INSTANCE,
): Promise<SecureChannelSession> {
  await select(card, application);
  const rng = seededRng('owner');
  return await openScp03Session({ transmit: card.transmit, keys, rng, level, domainAid: aidBytes(SUPPLIER) });
}
