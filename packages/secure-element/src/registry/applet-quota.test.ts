import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import {
  aidBytes,
  encodeSecurityDomainParameters,
  installCommand,
  installForExtraditionCommand,
  putKeysCommand,
} from '@sefleet/globalplatform';
import { IOT_SAFE_INSTANCE, IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from '../applets/iot-safe/identifiers.ts';
import { exportCard } from '../card/create-card.ts';
import { describeCard } from '../card/description.ts';
import type { SecureElement } from '../card/secure-element.ts';
import { IotSafeClient } from '../clients/iot-safe-client.ts';
import { iotSafePersonalisationCommands } from '../clients/iot-safe-personalisation.ts';
import { installDomain, newCard, open, send, sendAll, SUPPLIER, testKeys } from '../testing/card-fixture.ts';

const KEYS = testKeys('supplier');
const PRIVATE_ID = fromHex('02');

/** A card whose supplier has an empty key pair in its IoT SAFE applet, and `quotaBytes` for everything. */
async function cardWithQuota(quotaBytes: number): Promise<SecureElement> {
  const card = newCard();
  const issuer = await open(card);
  const parameters = encodeSecurityDomainParameters({
    acceptExtraditionHere: fromHex('2020'),
    quotaBytes,
  });
  await send(issuer, installDomain(SUPPLIER, 0, parameters));
  const place = { loadFile: IOT_SAFE_LOAD_FILE, module: IOT_SAFE_MODULE, instance: IOT_SAFE_INSTANCE };
  const [loadFile, module, instance] = Object.values(place).map(aidBytes);
  assert.ok(loadFile !== undefined && module !== undefined && instance !== undefined);
  await send(
    issuer,
    installCommand({ loadFile, module, instance, privileges: 0, parameters: fromHex('c900') }),
  );
  await send(issuer, installForExtraditionCommand(aidBytes(SUPPLIER), instance));
  const inherited = await open(card, SUPPLIER);
  await send(inherited, putKeysCommand(inherited, KEYS, { newVersion: 1 }));
  const owner = await open(card, SUPPLIER, KEYS);
  const pair = { kind: 'key-pair', privateId: PRIVATE_ID, publicId: fromHex('03'), label: 'device' } as const;
  await sendAll(owner, iotSafePersonalisationCommands(owner, instance, [pair]));
  return card;
}

function usedBySupplier(card: SecureElement): number {
  return describeCard(card).entries.find(({ aid }) => aid === SUPPLIER)?.usedBytes ?? 0;
}

test('what an applet makes at the wish of its device counts against the quota of its domain', async () => {
  const roomy = await cardWithQuota(10_000);
  const before = usedBySupplier(roomy);
  new IotSafeClient(roomy.transmit).generateKeyPair(PRIVATE_ID);
  const after = usedBySupplier(roomy);
  assert.ok(after > before);

  const tight = await cardWithQuota(after - 1);
  const image = exportCard(tight);
  const client = new IotSafeClient(tight.transmit);
  assert.throws(
    () => client.generateKeyPair(PRIVATE_ID),
    (error: { context?: { sw?: number } }) => {
      return error.context?.sw === 0x6a84;
    },
  );
  assert.deepEqual(exportCard(tight), image);
  new IotSafeClient((await cardWithQuota(after)).transmit).generateKeyPair(PRIVATE_ID);
});
