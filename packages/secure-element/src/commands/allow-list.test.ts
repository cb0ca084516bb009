import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  CERTIFICATE_USAGE,
  ecPoint,
  encodeAllowList,
  encodeCertificate,
  openScp11Session,
  putPrivateKeyCommand,
  putPublicKeyCommand,
  storeDataCommands,
} from '@sefleet/globalplatform';
import { P256, publicKeyOf } from '../applets/iot-safe/curves.ts';
import type { SecureElement } from '../card/secure-element.ts';
import { exportCard, importCard } from '../index.ts';
import { ISSUER_SECURITY_DOMAIN } from '../profiles/standard-profile.ts';
import { newCard, open, seededRng, select, send, statusOf } from '../testing/card-fixture.ts';

const AUTHORITY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const CARD_SCALAR = seededRng('card key').bytes(32);
const HOST_SCALAR = seededRng('host key').bytes(32);
const AUTHORITY_AT = { newVersion: 0x11, keyId: 0x10 };

function certificate(serialNumber: Uint8Array): Uint8Array {
  const fields = { serialNumber, authority: fromHex('4341'), subject: fromHex('4f4345') };
  const usage = CERTIFICATE_USAGE.KEY_AGREEMENT;
  const publicKey = publicKeyOf(P256, HOST_SCALAR);
  return encodeCertificate({ ...fields, usage, expiration: '20301231', publicKey }, AUTHORITY);
}

async function cardWith(...lists: readonly Uint8Array[]): Promise<SecureElement> {
  const card = newCard();
  const session = await open(card);
  await send(session, putPublicKeyCommand({ point: ecPoint(AUTHORITY) }, AUTHORITY_AT));
  await send(session, putPrivateKeyCommand(session, CARD_SCALAR, { newVersion: 0x12, keyId: 0x11 }));
  for (const list of lists) {
    for (const command of storeDataCommands(list, { format: 'ber-tlv' })) await send(session, command);
  }
  return card;
}

async function getsIn(card: SecureElement, serialNumber: Uint8Array): Promise<boolean> {
  await select(card, ISSUER_SECURITY_DOMAIN);
  try {
    await openScp11Session({
      transmit: (apdu) => card.transmit(apdu),
      variant: 'a',
      cardPoint: publicKeyOf(P256, CARD_SCALAR),
      keyVersion: 0x12,
      keyId: 0x11,
      host: {
        privateScalar: HOST_SCALAR,
        certificates: [certificate(serialNumber)],
        authorityKeyVersion: 0x11,
        authorityKeyId: 0x10,
      },
      rng: seededRng('session'),
    });
    return true;
  } catch (error) {
    assert.ok(isSefleetError(error, 'GP_STATUS_WORD'));
    assert.equal(error.context['sw'], 0x6a80);
    return false;
  }
}

const [ONE, TWO] = [fromHex('0101'), fromHex('0201')];

test('without a list every certificate of the authority is let in', async () => {
  assert.equal(await getsIn(await cardWith(), ONE), true);
});

test('a list lets in those who are on it, and the next list replaces it', async () => {
  const first = await cardWith(encodeAllowList(0x10, 0x11, [ONE, TWO]));
  assert.deepEqual([await getsIn(first, ONE), await getsIn(first, TWO)], [true, true]);
  const next = await cardWith(encodeAllowList(0x10, 0x11, [ONE, TWO]), encodeAllowList(0x10, 0x11, [TWO]));
  assert.deepEqual([await getsIn(next, ONE), await getsIn(next, TWO)], [false, true]);
});

test('a list is about one key, survives the image of the card, and lets nobody in when it is empty', async () => {
  const other = await cardWith(encodeAllowList(0x10, 0x12, [TWO]));
  assert.equal(await getsIn(other, ONE), true);
  const empty = await cardWith(encodeAllowList(0x10, 0x11, []));
  empty.reset();
  const again = importCard(exportCard(empty), { rng: seededRng('again') });
  assert.equal(await getsIn(again, ONE), false);
});

test('what is no list of serial numbers is refused', async () => {
  const card = await cardWith();
  const session = await open(card);
  for (const bad of ['a6048302101170029401', 'a6048302101170029300', 'a6038301107003930101']) {
    const [command] = storeDataCommands(fromHex(bad), { format: 'ber-tlv' });
    assert.ok(command);
    assert.equal(await statusOf(session, command), '6a80', bad);
  }
});
