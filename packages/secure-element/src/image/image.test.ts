import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { aidBytes, encodeApdu, getDataCommand, selectCommand } from '@sefleet/globalplatform';
import { describeCard } from '../card/description.ts';
import { exportCard, importCard } from '../card/create-card.ts';
import { newCard, seededRng } from '../testing/card-fixture.ts';
import { meterInTheField } from '../testing/switch-fixture.ts';

const AFTER_MAGIC = 5;

/** `image` with other bytes in it and the check value that goes with them. */
function resealed(image: Uint8Array, changes: readonly (readonly [at: number, value: number])[]): Uint8Array {
  const body = image.slice(0, -8);
  for (const [at, value] of changes) body[AFTER_MAGIC + (at % (body.length - AFTER_MAGIC))] = value;
  return concatBytes(body, createHash('sha256').update(body).digest().subarray(0, 8));
}

test('an image changed anywhere under a right check value is a card that works, or no image', async () => {
  const image = exportCard(await meterInTheField());
  const byte = fc.tuple(fc.nat(0xffff), fc.nat(0xff));
  const property = fc.property(fc.array(byte, { minLength: 1, maxLength: 4 }), (changes) => {
    try {
      const card = importCard(resealed(image, changes), { rng: seededRng('x') });
      for (const application of card.applications) {
        card.transmit(encodeApdu(selectCommand(aidBytes(application))));
        card.transmit(fromHex('8050000008010203040506070800'));
        card.transmit(encodeApdu(getDataCommand(0x00e0)));
      }
      describeCard(card);
      exportCard(card);
    } catch (error) {
      const known = ['SE_IMAGE_MALFORMED', 'SE_PROFILE_UNKNOWN'];
      assert.ok(isSefleetError(error) && known.includes(error.code), String(error));
    }
  });
  fc.assert(property, { numRuns: 1500 });
});

test('an image whose issuer belongs to another domain, or that names a domain twice, is none', () => {
  const image = exportCard(newCard());
  const issuer = 'a000000151000000';
  const text = Buffer.from(image).toString('hex');
  const parent = text.indexOf(issuer, text.indexOf(issuer) + issuer.length) / 2;
  assert.ok(parent > 0);
  assert.throws(() => importCard(resealed(image, [[parent - AFTER_MAGIC, 0xb0]]), { rng: seededRng('x') }), {
    code: 'SE_IMAGE_MALFORMED',
    message: /it has no issuer/u,
  });
});
