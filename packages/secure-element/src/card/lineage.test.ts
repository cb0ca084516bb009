import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import { readImageHeader } from '../image/card-state-codec.ts';
import { newCard, seededRng } from '../testing/card-fixture.ts';
import { exportCard, importCard } from './create-card.ts';
import type { CardAnchor } from './lineage.ts';
import type { SecureElement } from './secure-element.ts';

/** One change of the memory: INITIALIZE UPDATE counts. */
function change(card: SecureElement, times = 1): void {
  for (let i = 0; i < times; i++) card.transmit(fromHex('8050000008000102030405060700'));
}

let copies = 0;
/** A copy of a card, brought to life by somebody else. */
function copyOf(image: Uint8Array, anchor?: CardAnchor): SecureElement {
  const options = anchor === undefined ? {} : { anchor };
  return importCard(image, { rng: seededRng(`copy ${copies++}`) }, options);
}

test('an image continues the card that it was taken from, however often the card changed hands', () => {
  const card = newCard();
  change(card, 2);
  const { anchor } = card;
  const moved = copyOf(exportCard(card), anchor);
  assert.deepEqual(moved.anchor, anchor, 'bringing it to life changes nothing');
  assert.deepEqual(exportCard(moved), exportCard(card));
  change(moved);
  assert.notEqual(moved.anchor.life, anchor.life);
  const again = copyOf(exportCard(moved), anchor);
  change(again, 3);
  assert.equal(copyOf(exportCard(again), anchor).revision, 6);
  assert.equal(copyOf(exportCard(again), moved.anchor).revision, 6);
});

test('a copy that changed while the card changed as well is refused, whatever its revision', () => {
  const card = newCard();
  change(card, 3);
  const backup = exportCard(card);
  change(card);
  for (const times of [1, 2, 50]) {
    const fork = copyOf(backup);
    change(fork, times);
    assert.throws(() => copyOf(exportCard(fork), card.anchor), { code: 'SE_IMAGE_FORKED' });
    assert.throws(
      () => copyOf(exportCard(card), fork.anchor),
      (error) => isSefleetError(error),
      'nor back',
    );
  }
});

test('two copies of one image that change alike are two', () => {
  const image = exportCard(newCard());
  const [one, two] = [copyOf(image), copyOf(image)];
  change(one);
  change(two);
  assert.throws(() => copyOf(exportCard(two), one.anchor), { code: 'SE_IMAGE_FORKED' });
});

test('an older image is older, and another card another one', () => {
  const card = newCard();
  const old = exportCard(card);
  change(card);
  assert.throws(() => copyOf(old, card.anchor), { code: 'SE_IMAGE_ROLLED_BACK' });
  const foreign = { ...card.anchor, card: '00'.repeat(10) };
  assert.throws(() => copyOf(exportCard(card), foreign), { code: 'SE_IMAGE_FOREIGN' });
});

test('every change is told with the place where the card stands afterwards', () => {
  const told: CardAnchor[] = [];
  const card = newCard({ onCommit: ({ anchor }) => told.push(anchor) });
  change(card, 3);
  assert.deepEqual(told.at(-1), card.anchor);
  assert.deepEqual(
    told.map(({ revision }) => revision),
    [1, 2, 3],
  );
});

test('a power cut at the first change of a copy begins no life', () => {
  let cutting = true;
  const onCommit = (): void => {
    if (cutting) throw new RangeError('the power is gone');
  };
  const image = exportCard(newCard());
  const card = importCard(image, { rng: seededRng('cut'), onCommit });
  assert.throws(() => change(card), RangeError);
  assert.deepEqual(exportCard(card), image);
  cutting = false;
  change(card);
  assert.equal(readImageHeader(exportCard(card)).lives.length, 2);
});

test('the oldest lives are forgotten: who remembers one of them is told that the image cannot prove it', () => {
  let card = newCard();
  const first = card.anchor;
  for (let i = 0; i < 40; i++) {
    card = copyOf(exportCard(card), card.anchor);
    change(card);
  }
  assert.equal(readImageHeader(exportCard(card)).lives.length, 16);
  assert.throws(() => copyOf(exportCard(card), first), { code: 'SE_IMAGE_FORKED' });
});

test('an image of another version is refused with what to do', () => {
  const image = exportCard(newCard());
  const body = image.slice(0, -8);
  body[4] = 1;
  const old = concatBytes(body, createHash('sha256').update(body).digest().subarray(0, 8));
  assert.throws(
    () => copyOf(old),
    (error) => isSefleetError(error, 'SE_IMAGE_MALFORMED') && error.hint !== undefined,
  );
});

/** What happened to a copy, as only an observer of all copies can know it: every change is one of a kind. */
interface Observed {
  readonly card: SecureElement;
  readonly history: readonly number[];
}

const steps = fc.array(fc.record({ step: fc.constantFrom('change', 'change', 'copy'), which: fc.nat(100) }), {
  maxLength: 14,
});

test('an image is taken exactly when all that its owner knows of happened to it', () => {
  const property = fc.property(steps, (sequence) => {
    let changes = 0;
    const copied: Observed[] = [{ card: newCard(), history: [] }];
    const images: { readonly image: Uint8Array; readonly history: readonly number[] }[] = [];
    for (const { step, which } of sequence) {
      const at = which % copied.length;
      const { card, history } = copied[at] ?? { card: newCard(), history: [] };
      if (step === 'copy') {
        const image = exportCard(card);
        images.push({ image, history });
        copied.push({ card: copyOf(image), history });
      } else {
        change(card);
        copied[at] = { card, history: [...history, changes++] };
      }
    }
    for (const { card, history } of copied) images.push({ image: exportCard(card), history });
    for (const owner of copied) {
      for (const { image, history } of images) {
        const continues = owner.history.every((item, i) => history[i] === item);
        const taken = isTaken(image, owner.card.anchor);
        assert.equal(taken, continues, JSON.stringify([owner.history, history]));
      }
    }
  });
  fc.assert(property, { numRuns: 150 });
});

function isTaken(image: Uint8Array, anchor: CardAnchor): boolean {
  try {
    copyOf(image, anchor);
    return true;
  } catch (error) {
    if (!isSefleetError(error)) throw error;
    return false;
  }
}
