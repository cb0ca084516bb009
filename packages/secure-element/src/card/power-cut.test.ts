import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { aid, setStatusCommand, SET_STATUS_SCOPE, aidBytes, deleteCommand } from '@sefleet/globalplatform';
import { installDomain, newCard, open, seededRng, send } from '../testing/card-fixture.ts';
import { METER_APPLET, meterInTheField, OLD_SUPPLIER } from '../testing/switch-fixture.ts';
import { RecordsClient } from '../clients/records-client.ts';
import { exportCard, importCard } from './create-card.ts';
import type { SecureElement } from './secure-element.ts';

/** Everything that a meter goes through in its life, in one function that a power cut may end anywhere. */
async function life(onCommit: (image: () => Uint8Array) => void): Promise<SecureElement> {
  const card = await meterInTheField({ onCommit: (commit) => onCommit(() => commit.image()) });
  const records = new RecordsClient(card.transmit, METER_APPLET);
  records.seal({ timestampMs: 1, values: [[1, 5]] });
  records.close();
  const issuer = await open(card);
  await send(issuer, setStatusCommand(SET_STATUS_SCOPE.APPLICATION, 0x80, aidBytes(METER_APPLET)));
  await send(issuer, deleteCommand(aidBytes(OLD_SUPPLIER), { related: true }));
  return card;
}

function digestOf(image: Uint8Array): string {
  return createHash('sha256').update(image).digest('hex');
}

test('a power cut at any write leaves the state from before the command, and the card goes on from there', async () => {
  const images: string[] = [];
  await life((image) => images.push(digestOf(image())));
  assert.ok(images.length > 20, `${images.length} writes`);
  for (let cut = 0; cut < images.length; cut++) {
    const seen: string[] = [];
    const power = new RangeError('the power is gone');
    await assert.rejects(
      life((image) => {
        if (seen.length === cut) throw power;
        seen.push(digestOf(image()));
      }),
      (error) => error === power,
    );
    assert.deepEqual(seen, images.slice(0, cut), `up to write ${cut}`);
  }
});

test('what was in memory before the cut is what the card holds after it', async () => {
  let cutting = false;
  const card = newCard({
    onCommit: () => {
      if (cutting) throw new RangeError('the power is gone');
    },
  });
  const session = await open(card);
  const before = exportCard(card);
  cutting = true;
  await assert.rejects(send(session, installDomain(aid('A00000015153504199'))));
  cutting = false;
  assert.deepEqual(exportCard(card), before);
  assert.equal(card.applications.length, 1);
  const again = await open(card);
  await send(again, installDomain(aid('A00000015153504199')));
  assert.equal(card.applications.length, 2);
});

test('an image that was cut short or damaged anywhere is refused', async () => {
  const image = exportCard(await meterInTheField());
  const rng = seededRng('x');
  for (let length = 0; length < image.length; length += 7) {
    assert.throws(() => importCard(image.subarray(0, length), { rng }), { code: 'SE_IMAGE_MALFORMED' });
  }
  for (let at = 0; at < image.length; at += 11) {
    const damaged = image.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0x10;
    assert.throws(() => importCard(damaged, { rng }), { code: 'SE_IMAGE_MALFORMED' });
  }
});
