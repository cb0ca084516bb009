import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { ObjectTree } from '../device/object-tree.ts';
import { omaModels } from '../model/oma-models.ts';
import { enablerObjects } from '../objects/enabler-objects.ts';
import {
  bootstrapFromCard,
  decodeBootstrapFile,
  EF_DODF_BOOTSTRAP,
  EF_LWM2M_BOOTSTRAP,
  encodeBootstrapFile,
  encodeDodf,
  encodeOdf,
  findBootstrapFile,
  findDodf,
} from './bootstrap-file.ts';

const models = omaModels();
/**
 * A published example: a PSK account and its server, as a card personalised for an independent client carries
 * them.
 */
const CARD = fromHex(`
  0002007a 000000005e 08015b c80022 636f6170733a2f2f65752e696f742e617673797374656d2e636c6f75643a35363834
  c10100 c10200 c80314 6578616d706c652d70736b2d6964656e74697479 c80513 3378406d706c3350354b3533637233744b3379
  c10a01 0001000012 08010f c10001 c40100015180 c10600 c10755`);

it('reads a published card file and writes it back', () => {
  const objects = decodeBootstrapFile(CARD, models);
  assert.deepEqual(
    objects.map(({ objectId, entries }) => [objectId, entries.length]),
    [
      [0, 6],
      [1, 4],
    ],
  );
  assert.equal(toHex(encodeBootstrapFile(objects, models)), toHex(CARD));
});

it('ignores the padding of a file of fixed size', () => {
  assert.equal(decodeBootstrapFile(Buffer.concat([CARD, new Uint8Array(100).fill(0xff)]), models).length, 2);
});

it('becomes the accounts of the device, or changes nothing', async () => {
  const tree = new ObjectTree(enablerObjects(models), undefined, models);
  await bootstrapFromCard(tree, CARD);
  assert.equal(tree.instance(0, 1)?.get(0), 'coaps://eu.iot.avsystem.cloud:5684');
  assert.equal(tree.instance(1, 1)?.get(1), 86_400);
  const broken = fromHex(toHex(CARD).replace('c10a01', 'c10a02'));
  await assert.rejects(bootstrapFromCard(tree, broken), { code: 'LWM2M_CARD_FILE_INVALID' });
  assert.equal(tree.instance(1, 1)?.get(1), 86_400);
});

it('is found through EF(ODF) and EF(DODF-bootstrap)', () => {
  assert.equal(findDodf(encodeOdf(EF_DODF_BOOTSTRAP)), EF_DODF_BOOTSTRAP);
  assert.equal(findBootstrapFile(encodeDodf(EF_LWM2M_BOOTSTRAP)), EF_LWM2M_BOOTSTRAP);
  // A path from the master file on has the file id last.
  assert.equal(findDodf(fromHex('a70a3008 0406 3f00 7f50 6430')), 0x6430);
  assert.equal(findBootstrapFile(fromHex('a10630003000')), undefined);
});

it('throws nothing but its own error', () => {
  for (let end = 0; end < CARD.length; end++) {
    assert.throws(() => decodeBootstrapFile(CARD.subarray(0, end), models), {
      code: 'LWM2M_CARD_FILE_INVALID',
    });
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      findDodf(bytes);
      findBootstrapFile(bytes);
      try {
        decodeBootstrapFile(bytes, models);
      } catch (error) {
        if (!isSefleetError(error, 'LWM2M_CARD_FILE_INVALID')) throw error;
      }
    }),
  );
});
