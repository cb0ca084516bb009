import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { aidBytes, installCommand } from '@sefleet/globalplatform';
import { bootstrapPersonalisationCommands, readSmartcardBootstrap } from '../../clients/bootstrap-client.ts';
import { newCard, open, send } from '../../testing/card-fixture.ts';
import { decodeBootstrapFile, encodeBootstrapFile } from './bootstrap-file.ts';
import { BOOTSTRAP_LOAD_FILE, BOOTSTRAP_MODULE, PKCS15_INSTANCE } from './identifiers.ts';

/** Published with Anjay's documentation (CF-SmartCardBootstrap): one Security and one Server instance. */
const PUBLISHED = fromHex(
  '0002007a' +
    '000000005e08015bc80022636f6170733a2f2f65752e696f742e617673797374656d2e636c6f75643a35363834c10100c10200' +
    'c803146578616d706c652d70736b2d6964656e74697479c805133378406d706c3350354b3533637233744b3379c10a01' +
    '000100001208010fc10001c40100015180c10600c10755',
);

async function cardWithBootstrap(pin?: Uint8Array) {
  const card = newCard();
  const issuer = await open(card);
  const code = { loadFile: aidBytes(BOOTSTRAP_LOAD_FILE), module: aidBytes(BOOTSTRAP_MODULE) };
  await send(
    issuer,
    installCommand({
      ...code,
      instance: aidBytes(PKCS15_INSTANCE),
      privileges: 0,
      parameters: fromHex('c900'),
    }),
  );
  const objects = decodeBootstrapFile(PUBLISHED);
  for (const command of bootstrapPersonalisationCommands(aidBytes(PKCS15_INSTANCE), objects, pin))
    await send(issuer, command);
  return card;
}

test('the published bootstrap file is read and written byte for byte', () => {
  assert.equal(PUBLISHED.length, 126);
  const objects = decodeBootstrapFile(PUBLISHED);
  assert.deepEqual(
    objects.map((object) => object.objectId),
    [0, 1],
  );
  assert.deepEqual(encodeBootstrapFile(objects), PUBLISHED);
  assert.deepEqual(decodeBootstrapFile(concatBytes(PUBLISHED, fromHex('ffffff'))), objects);
});

test('a bootstrap file cut anywhere, and random bytes, are refused with its own error', () => {
  for (let length = 0; length < PUBLISHED.length; length++) {
    assert.throws(() => decodeBootstrapFile(PUBLISHED.subarray(0, length)), {
      code: 'SE_BOOTSTRAP_MALFORMED',
    });
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeBootstrapFile(bytes);
      } catch (error) {
        assert.ok(isSefleetError(error, 'SE_BOOTSTRAP_MALFORMED'));
      }
    }),
  );
});

test('a client finds the bootstrap information through the PKCS#15 directories', async () => {
  const card = await cardWithBootstrap();
  const [security, server] = readSmartcardBootstrap(card.transmit);
  assert.equal(security?.objectId, 0);
  assert.equal(server?.objectId, 1);
  assert.equal(toHex(server?.instances ?? fromHex('')), '08010fc10001c40100015180c10600c10755');
});

test('the token tells who it is, as PKCS#15 asks of every token', async () => {
  const { transmit } = await cardWithBootstrap();
  transmit(fromHex('00A404000CA000000063504B43532D3135'));
  assert.match(toHex(transmit(fromHex('00A4000C025032'))), /9000$/u);
  // SEQUENCE of version 0 (v1), serial number, label [0], flags: readonly.
  const information = '301a020100040a0001020304050607080980054c774d324d03020780';
  assert.equal(toHex(transmit(fromHex('00B0000000'))), `${information}9000`);
});

test('behind a PIN the file is read with it, and three wrong ones block it across resets', async () => {
  const pin = Buffer.from('1234');
  const card = await cardWithBootstrap(pin);
  assert.throws(() => readSmartcardBootstrap(card.transmit), { code: 'SE_APPLET_REFUSED' });
  assert.equal(readSmartcardBootstrap(card.transmit, { pin }).length, 2);
  const statuses: unknown[] = [];
  for (const wrong of ['1111', '2222', '3333', '1234']) {
    try {
      readSmartcardBootstrap(card.transmit, { pin: Buffer.from(wrong) });
    } catch (error) {
      statuses.push(isSefleetError(error) ? error.context['sw'] : error);
    }
    card.reset();
  }
  assert.deepEqual(statuses, [0x63c2, 0x63c1, 0x63c0, 0x6983]);
});
