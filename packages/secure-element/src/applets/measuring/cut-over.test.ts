import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSealedRecord, openTelemetryRecord } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import {
  aidBytes,
  installForExtraditionCommand,
  installForPersonalizationCommand,
  openScp03Session,
  withToken,
} from '@sefleet/globalplatform';
import type { Aid } from '@sefleet/globalplatform';
import { exportCard, importCard } from '../../card/create-card.ts';
import type { SecureElement } from '../../card/secure-element.ts';
import { ownerStatusCommand, readMeterRegisters } from '../../clients/measuring-owner.ts';
import { recordAccountCommands } from '../../clients/record-account.ts';
import type { RecordAccountPlan } from '../../clients/record-account.ts';
import { cutOverOrder, RecordsClient } from '../../clients/records-client.ts';
import {
  installDomain,
  open,
  seededRng,
  select,
  send,
  sendAll,
  statusOf,
} from '../../testing/card-fixture.ts';
import { encodeTariff } from '../metering/tariff.ts';
import {
  AUTHORITY,
  CUT_OVER,
  METER,
  METER_APPLET,
  meterBeforeCutOver,
  meterInTheField,
  NEW_SUPPLIER,
  OLD_SUPPLIER,
  PARTIES,
  stagedAccount,
  TSM,
} from '../../testing/switch-fixture.ts';

const { oldSupplier, newSupplier, issuer, tsm } = PARTIES;
const ORDER = cutOverOrder(NEW_SUPPLIER, CUT_OVER.activation);
const READING = { timestampMs: CUT_OVER.instantMs, values: [[1, 250]] } as const;

function meterOf(card: SecureElement): RecordsClient {
  return new RecordsClient(card.transmit, METER_APPLET);
}

function refusedWith(sw: number) {
  return (error: unknown): boolean =>
    isSefleetError(error, 'SE_APPLET_REFUSED') && error.context['sw'] === sw;
}

function openWith(key: Uint8Array, sealed: Uint8Array) {
  return openTelemetryRecord(decodeSealedRecord(sealed), key, METER);
}

test('the two records of a cut-over carry one reading and open with one key each', async () => {
  const meter = meterOf(await meterBeforeCutOver());
  meter.seal({ timestampMs: 1, values: [[1, 100]] });
  const { closing, opening } = meter.handOver(ORDER, READING);
  assert.deepEqual(openWith(oldSupplier.recordKey, closing), { ...READING, sequence: 2 });
  assert.deepEqual(openWith(newSupplier.recordKey, opening), { ...READING, sequence: 3 });
  assert.throws(() => openWith(newSupplier.recordKey, closing), isSefleetError);
  assert.throws(() => openWith(oldSupplier.recordKey, opening), isSefleetError);
  assert.equal(decodeSealedRecord(opening).stakeholder, 'southern-power');
});

test('from the cut-over on the applet seals for the new supplier alone, whose numbers begin there', async () => {
  const meter = meterOf(await meterBeforeCutOver());
  assert.equal(meter.status().stakeholder, 'northern-power');
  meter.handOver(ORDER, READING);
  const { stakeholder, firstSequence, sequence, closed } = meter.status();
  assert.deepEqual(
    { stakeholder, firstSequence, sequence, closed },
    { stakeholder: 'southern-power', firstSequence: 2, sequence: 2, closed: false },
  );
  const next = meter.seal({ timestampMs: 3000, values: [[1, 260]] });
  assert.deepEqual(openWith(newSupplier.recordKey, next).sequence, 3);
});

test('an answer that was lost is given again until the next record, and never with another reading', async () => {
  const card = await meterBeforeCutOver();
  const meter = meterOf(card);
  const first = meter.handOver(ORDER, READING);
  const revision = card.revision;
  const again = new RecordsClient(
    importCard(exportCard(card), { rng: seededRng('x') }).transmit,
    METER_APPLET,
  );
  assert.deepEqual(again.handOver(ORDER, READING), first);
  assert.deepEqual(meter.handOver(ORDER, READING), first);
  assert.equal(card.revision, revision, 'nothing was counted again');
  assert.throws(() => meter.handOver(ORDER, { ...READING, values: [[1, 251]] }), refusedWith(0x6985));
  meter.seal({ timestampMs: 3000, values: [[1, 260]] });
  assert.throws(() => meter.handOver(ORDER, READING), refusedWith(0x6985));
});

test('a cut-over of another secret, time, application or domain is refused and changes nothing', async () => {
  const elsewhere = stagedAccount({ application: AUTHORITY });
  const staged = await meterBeforeCutOver();
  const cases: readonly (readonly [string, SecureElement, Aid, Uint8Array, number, number])[] = [
    ['another secret', staged, NEW_SUPPLIER, new Uint8Array(16), CUT_OVER.instantMs, 0x6982],
    ['a short secret', staged, NEW_SUPPLIER, new Uint8Array(0), CUT_OVER.instantMs, 0x6982],
    ['another time', staged, NEW_SUPPLIER, CUT_OVER.activation, CUT_OVER.instantMs + 1, 0x6985],
    ['its own domain', staged, OLD_SUPPLIER, CUT_OVER.activation, CUT_OVER.instantMs, 0x6985],
    ['a domain without account', staged, TSM, CUT_OVER.activation, CUT_OVER.instantMs, 0x6985],
    ['an application', staged, METER_APPLET, CUT_OVER.activation, CUT_OVER.instantMs, 0x6985],
    [
      'a grant for another application',
      await meterBeforeCutOver({}, elsewhere),
      NEW_SUPPLIER,
      CUT_OVER.activation,
      CUT_OVER.instantMs,
      0x6985,
    ],
  ];
  for (const [name, card, successor, activation, timestampMs, sw] of cases) {
    const before = exportCard(card);
    const meter = meterOf(card);
    const reading = { ...READING, timestampMs };
    assert.throws(() => meter.handOver(cutOverOrder(successor, activation), reading), refusedWith(sw), name);
    assert.deepEqual(exportCard(card), before, name);
    meter.close();
  }
});

test('a reading that runs backwards is no cut-over reading', async () => {
  const meter = meterOf(await meterBeforeCutOver());
  meter.seal({ timestampMs: 1, values: [[1, 251]] });
  assert.throws(() => meter.handOver(ORDER, READING), refusedWith(0x6985));
  assert.equal(meter.status().stakeholder, 'northern-power');
});

test('a power cut at the cut-over leaves neither record or both', async () => {
  let cutting = false;
  const card = await meterBeforeCutOver({
    onCommit: () => {
      if (cutting) throw new RangeError('the power is gone');
    },
  });
  const before = exportCard(card);
  cutting = true;
  assert.throws(() => meterOf(card).handOver(ORDER, READING), RangeError);
  cutting = false;
  assert.deepEqual(exportCard(card), before);
  const revision = card.revision;
  const { closing, opening } = meterOf(card).handOver(ORDER, READING);
  assert.equal(card.revision, revision + 1, 'one write for both');
  assert.equal(decodeSealedRecord(opening).sequence, decodeSealedRecord(closing).sequence + 1);
});

test('after the cut-over the old supplier can neither seal, nor set the applet up, nor take it back', async () => {
  const card = await meterBeforeCutOver();
  const meter = meterOf(card);
  meter.handOver(ORDER, READING);
  const session = await open(card, OLD_SUPPLIER, oldSupplier.keys);
  const account = {
    stakeholder: 'northern-power',
    keyVersion: 2,
    endpoint: METER,
    recordKey: oldSupplier.recordKey,
  };
  await sendAll(session, recordAccountCommands(session, account));
  const record = decodeSealedRecord(meter.seal({ timestampMs: 3000, values: [[1, 260]] }));
  assert.equal(record.stakeholder, 'southern-power', 'an account of its own is none of the meter’s now');
});

test('the applet moves to its new domain and goes on there, and from there to the next supplier', async () => {
  const card = await meterBeforeCutOver();
  const meter = meterOf(card);
  meter.handOver(ORDER, READING);
  const link = await open(card, TSM, tsm.keys);
  const move = installForExtraditionCommand(aidBytes(NEW_SUPPLIER), aidBytes(METER_APPLET));
  await send(link, withToken(move, issuer.tokenKey));
  assert.equal(decodeSealedRecord(meter.seal({ timestampMs: 3000, values: [[1, 260]] })).sequence, 3);

  const back = await open(card, OLD_SUPPLIER, oldSupplier.keys);
  const grant = { application: METER_APPLET, instantMs: 4000, activation: new Uint8Array(16).fill(9) };
  const account = { stakeholder: 'northern-power', keyVersion: 1, endpoint: METER };
  const { recordKey } = oldSupplier;
  await sendAll(back, recordAccountCommands(back, { ...account, recordKey, grant }));
  const order = cutOverOrder(OLD_SUPPLIER, grant.activation);
  const { opening } = meter.handOver(order, { timestampMs: 4000, values: [[1, 270]] });
  assert.deepEqual(openWith(oldSupplier.recordKey, opening), {
    sequence: 5,
    timestampMs: 4000,
    values: [[1, 270]],
  });
});

test('a staged account seals nothing before its instant, not even in its own domain', async () => {
  const card = await meterBeforeCutOver();
  const link = await open(card, TSM, tsm.keys);
  const move = installForExtraditionCommand(aidBytes(NEW_SUPPLIER), aidBytes(METER_APPLET));
  await send(link, withToken(move, issuer.tokenKey));
  assert.throws(() => meterOf(card).seal({ timestampMs: 1, values: [[1, 1]] }), refusedWith(0x6985));
});

test('keys of a domain above store no account in a fresh one, directly or by personalising it', async () => {
  const card = await meterInTheField();
  const link = await open(card, TSM, tsm.keys);
  await send(link, withToken(installDomain(NEW_SUPPLIER), issuer.tokenKey));
  await send(link, installForPersonalizationCommand(aidBytes(NEW_SUPPLIER)));
  const [store] = recordAccountCommands(link, stagedAccount());
  assert.equal(await statusOf(link, store ?? assert.fail()), '6985');
  const inherited = await open(card, NEW_SUPPLIER, tsm.keys);
  const [again] = recordAccountCommands(inherited, stagedAccount());
  assert.equal(await statusOf(inherited, again ?? assert.fail()), '6985');
});

test('what is no record account is refused whole', async () => {
  const card = await meterBeforeCutOver();
  const session = await open(card, NEW_SUPPLIER, newSupplier.keys);
  const before = exportCard(card);
  const account = stagedAccount();
  const bad: readonly RecordAccountPlan[] = [
    { ...account, stakeholder: 'Southern Power' },
    { ...account, stakeholder: '' },
    { ...account, keyVersion: 0 },
    { ...account, endpoint: '' },
    { ...account, endpoint: 'x'.repeat(201) },
    { ...account, recordKey: new Uint8Array(15) },
    { ...account, recordKey: new Uint8Array(32) },
    stagedAccount({ activation: new Uint8Array(8) }),
    stagedAccount({ parameters: new Uint8Array(513) }),
  ];
  for (const plan of bad) {
    const commands = recordAccountCommands(session, plan);
    await sendAll(session, commands.slice(0, -1));
    assert.equal(await statusOf(session, commands.at(-1) ?? assert.fail()), '6a80', JSON.stringify(plan));
  }
  assert.deepEqual(exportCard(card), before);
});

test('a tariff that is staged is in force from the instant on, and what is none holds nothing up', async () => {
  const tariff = encodeTariff({ offsetMinutes: 0, switches: [{ days: 0x7f, minute: 0, rate: 5 }] });
  for (const [parameters, wh] of [
    [tariff, 10],
    [Uint8Array.of(0x80, 0xff), 0],
  ] as const) {
    const card = await meterBeforeCutOver({}, stagedAccount({ parameters }));
    const meter = meterOf(card);
    meter.handOver(ORDER, READING);
    meter.seal({ timestampMs: 3000, values: [[1, 260]] });
    const link = await open(card, TSM, tsm.keys);
    const move = installForExtraditionCommand(aidBytes(NEW_SUPPLIER), aidBytes(METER_APPLET));
    await send(link, withToken(move, issuer.tokenKey));
    await select(card, METER_APPLET);
    const owner = await openScp03Session({
      transmit: card.transmit,
      keys: newSupplier.keys,
      rng: seededRng('owner'),
      level: 0x33,
      domainAid: aidBytes(NEW_SUPPLIER),
    });
    const registers = readMeterRegisters(await send(owner, ownerStatusCommand()));
    assert.equal(registers?.ratesWh.get(5), wh);
  }
});
