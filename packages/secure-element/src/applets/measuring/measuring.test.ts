import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import { decodeSealedRecord, deriveRecordKey, openTelemetryRecord } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import { aid } from '@sefleet/globalplatform';
import { exportCard, importCard } from '../../card/create-card.ts';
import type { SecureElement } from '../../card/secure-element.ts';
import { recordAccountCommands } from '../../clients/record-account.ts';
import { RecordsClient } from '../../clients/records-client.ts';
import { cardWithApplet, open, seededRng, sendAll, SUPPLIER, testKeys } from '../../testing/card-fixture.ts';
import { METERING_LOAD_FILE, METERING_MODULE } from '../metering/identifiers.ts';

const METERING = aid('F07365666C65657401AA');
const KEYS = testKeys('supplier');
const ENDPOINT = 'urn:dev:sefleet:meter-000001';
const RECORD_KEY = deriveRecordKey(fromHex('000102030405060708090a0b0c0d0e0f'), ENDPOINT);

async function meteringCard(): Promise<SecureElement> {
  const place = { loadFile: METERING_LOAD_FILE, module: METERING_MODULE, instance: METERING };
  const card = await cardWithApplet(place, KEYS);
  const session = await open(card, SUPPLIER, KEYS);
  const owner = { stakeholder: 'northern-power', keyVersion: 3, endpoint: ENDPOINT, recordKey: RECORD_KEY };
  await sendAll(session, recordAccountCommands(session, owner));
  return card;
}

test('a record is sealed under the stakeholder’s key with the next sequence number', async () => {
  const card = await meteringCard();
  const records = new RecordsClient(card.transmit, METERING);
  for (let sequence = 1; sequence <= 3; sequence++) {
    const sealed = decodeSealedRecord(
      records.seal({ timestampMs: 1_000 * sequence, values: [[1, 10 * sequence]] }),
    );
    assert.equal(sealed.sequence, sequence);
    assert.equal(`${sealed.stakeholder}:${sealed.keyVersion}`, 'northern-power:3');
    const record = openTelemetryRecord(sealed, RECORD_KEY, ENDPOINT);
    assert.deepEqual(record, { sequence, timestampMs: 1_000 * sequence, values: [[1, 10 * sequence]] });
  }
  assert.equal(records.status().sequence, 3);
  assert.equal(records.status().endpoint, ENDPOINT);
});

test('a register that runs backwards is refused and costs no sequence number', async () => {
  const records = new RecordsClient((await meteringCard()).transmit, METERING);
  records.seal({ timestampMs: 1, values: [[1, 100]] });
  assert.throws(
    () => records.seal({ timestampMs: 2, values: [[1, 99]] }),
    (error) => isSefleetError(error, 'SE_APPLET_REFUSED') && error.context['sw'] === 0x6985,
  );
  assert.equal(
    decodeSealedRecord(
      records.seal({
        timestampMs: 3,
        values: [
          [1, 100],
          [2, 5],
        ],
      }),
    ).sequence,
    2,
  );
});

test('the sequence number goes on after export and import, and after a reset', async () => {
  const card = await meteringCard();
  const records = new RecordsClient(card.transmit, METERING);
  records.seal({ timestampMs: 1, values: [[1, 100]] });
  card.reset();
  card.park();
  assert.equal(decodeSealedRecord(records.seal({ timestampMs: 2, values: [[1, 101]] })).sequence, 2);
  const image = exportCard(card);
  assert.ok(image.length < 2048, `image of ${image.length} bytes`);
  const moved = importCard(image, { rng: seededRng('elsewhere') });
  assert.deepEqual(exportCard(moved), image);
  const there = new RecordsClient(moved.transmit, METERING);
  assert.equal(decodeSealedRecord(there.seal({ timestampMs: 3, values: [[1, 101]] })).sequence, 3);
});

test('an image from before the last known revision is refused', async () => {
  const card = await meteringCard();
  const old = exportCard(card);
  new RecordsClient(card.transmit, METERING).seal({ timestampMs: 1, values: [[1, 100]] });
  assert.throws(
    () => importCard(old, { rng: seededRng('x') }, { anchor: card.anchor }),
    (error) => isSefleetError(error, 'SE_IMAGE_ROLLED_BACK'),
  );
});

test('an owner who comes back has its records numbered beyond those of before, and never lower', async () => {
  const card = await meteringCard();
  const records = new RecordsClient(card.transmit, METERING);
  const numberOf = (timestampMs: number): number =>
    decodeSealedRecord(records.seal({ timestampMs, values: [[1, 100]] })).sequence;
  assert.equal(numberOf(1), 1);
  const owner = { stakeholder: 'northern-power', keyVersion: 3, endpoint: ENDPOINT };
  const account = { ...owner, recordKey: RECORD_KEY };
  for (const [sequenceFloor, expected] of [
    [1_780_000_000_000, 1_780_000_000_001],
    [7, 1_780_000_000_002],
  ] as const) {
    const session = await open(card, SUPPLIER, KEYS);
    await sendAll(session, recordAccountCommands(session, { ...account, sequenceFloor }));
    assert.equal(numberOf(2), expected);
  }
});
