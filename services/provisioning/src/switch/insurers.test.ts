import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { decodeSealedRecord } from '@sefleet/cose';
import { checkRehearsal, type RehearsalRecord } from '@sefleet/evidence';
import { describeCard } from '@sefleet/secure-element';
import { partyId } from '../domain/party.ts';
import { mandateText, type OwnerMandate } from '../domain/switch/owner-mandate.ts';
import { cardUniqueData } from '../manufacture/management-domains.ts';
import { identityOf } from '../manufacture/card-factory.ts';
import { recordRehearsal } from '../testing/rehearsal-record.ts';
import { createSwitchBench as openBench, CUT, order, runToEnd } from '../testing/switch-bench.ts';
import { signStatement } from './step-context.ts';
import type { SwitchOffice } from './switch-office.ts';

const HOUR_MS = 3_600_000;
const SHIELD = 'shield-insurance';
const BEACON = 'beacon-insurance';
/** More than the addition of one insurer to one vehicle has effects, counted before and after each. */
const KILL_POINTS = 150;

type Bench = Awaited<ReturnType<typeof openBench>>;

const opened: { close(): Promise<void> }[] = [];

async function createSwitchBench(vehicles: number, faults: Readonly<Record<string, number>> = {}) {
  const bench = await openBench(vehicles, faults, 'obu');
  opened.push(bench.bench);
  return bench;
}

function deskOf(bench: Bench, mandates: 'given' | 'rehearsed' = 'rehearsed'): SwitchOffice {
  const desk = bench.office({ mandates });
  opened.push(desk);
  return desk;
}

function adding(bench: Bench, cutOverAt = CUT, requestId = 'add') {
  const plain = { ...order(bench.endpoints, bench.faults), requestId, cutOverAt };
  return { ...plain, verb: 'add' as const, from: SHIELD, to: BEACON };
}

function removing(bench: Bench, from = SHIELD, to = BEACON, cutOverAt = CUT + 4 * HOUR_MS) {
  const plain = { ...order(bench.endpoints, bench.faults), requestId: `remove ${from}`, cutOverAt };
  return { ...plain, verb: 'remove' as const, from, to };
}

async function add(bench: Bench, desk: SwitchOffice): Promise<string> {
  const switchId = await desk.start(adding(bench));
  await runToEnd(desk, bench.ground, switchId, CUT + 2 * HOUR_MS);
  return switchId;
}

async function remove(bench: Bench, desk: SwitchOffice, from = SHIELD, to = BEACON): Promise<string> {
  const switchId = await desk.start(removing(bench, from, to));
  await runToEnd(desk, bench.ground, switchId, CUT + 6 * HOUR_MS);
  return switchId;
}

function broken(record: RehearsalRecord): string[] {
  return checkRehearsal(record)
    .invariants.filter(({ holds }) => !holds)
    .map(({ name, detail }) => `${name}: ${detail}`);
}

/** How many records of whom, from which instant to which. */
function readersOf(bench: Bench, endpoint: string) {
  const meter = [...bench.ground.collect()].find((one) => one.endpoint === endpoint);
  const sealed = (meter?.records ?? []).map(decodeSealedRecord);
  return Map.groupBy(sealed, ({ stakeholder }) => stakeholder);
}

async function mandateFor(bench: Bench, changes: Partial<OwnerMandate> = {}, party = 'vehicle-owner') {
  const endpoint = changes.endpoint ?? bench.endpoints[0] ?? '';
  const mandate: OwnerMandate = {
    mandate: 'add',
    insurer: partyId(BEACON),
    endpoint,
    card: Buffer.from(cardUniqueData(identityOf(endpoint))).toString('hex'),
    validFrom: CUT - 24 * HOUR_MS,
    validUntil: CUT + HOUR_MS,
    nonce: '00112233445566778899aabbccddeeff',
    ...changes,
  };
  return signStatement(bench.bench.custody, partyId(party), mandateText(mandate));
}

/** Fulfilled when what can happen by itself has happened. */
async function settled(): Promise<void> {
  for (let i = 0; i < 300; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('insurers of a vehicle', () => {
  afterEach(async () => {
    for (const item of opened.splice(0).toReversed()) await item.close();
  });

  it('can be two, each with its own domain, keys and records, and each is accounted for by itself', async () => {
    const bench = await createSwitchBench(3);
    const desk = deskOf(bench);
    const switchId = await add(bench, desk);
    const record = await recordRehearsal(bench, desk, switchId);
    deepEqual(broken(record), []);
    const verdict = checkRehearsal(record);
    equal(verdict.switched, 3);
    equal(verdict.receiptsVerified, 3 * 5);
    const readers = readersOf(bench, 'm-0');
    deepEqual([...readers.keys()], [SHIELD, BEACON]);
    // Four hours and two, every quarter of an hour, both ends included.
    equal(readers.get(SHIELD)?.length, 4 * 4 + 1);
    equal(readers.get(BEACON)?.length, 2 * 4 + 1);
  });

  it('come on the word of the owner alone, and the one who is there need not sign', async () => {
    const bench = await createSwitchBench(1);
    const desk = deskOf(bench);
    const [meter] = await desk.meters(await add(bench, desk));
    equal(meter?.evidence.mandate?.party, 'vehicle-owner');
    deepEqual(
      meter?.evidence.closing.map(({ party }) => party),
      [BEACON, 'apex-motors', 'trusted-services'],
    );
    deepEqual(
      meter?.evidence.probes.map(({ by, attempt, sw }) => [by, attempt, sw !== '9000']),
      [
        [BEACON, 'old-domain-before-instant', true],
        [BEACON, 'own-key-on-other-domain', true],
        ['trusted-services', 'personalise-new-domain', true],
        ['apex-motors', 'personalise-new-domain', true],
      ],
    );
  });

  for (const [from, to] of [
    [SHIELD, BEACON],
    [BEACON, SHIELD],
  ] as const) {
    it(`go: of ${from} nothing is left on the card, and ${to} notices nothing`, async () => {
      const bench = await createSwitchBench(2);
      const desk = deskOf(bench);
      const added = await add(bench, desk);
      const removed = await remove(bench, desk, from, to);
      deepEqual(broken(await recordRehearsal(bench, desk, added, removed)), []);
      const gone = await bench.bench.store.domains('m-0');
      ok(!gone.some(({ party }) => party === from));
      const [meter] = [...bench.ground.collect()];
      ok(meter);
      const applications = describeCard(meter.card).entries.map(({ aid }) => aid);
      const number = from === SHIELD ? '22' : '24';
      deepEqual(
        applications.filter((aid) => /^f05345464c540[123]02/.test(aid) && aid.slice(16, 18) === number),
        [],
      );
      const last = readersOf(bench, 'm-0').get(from)?.at(-1);
      ok(last);
      const [evidence] = await desk.meters(removed);
      equal(evidence?.evidence.receipts.filter(({ kind }) => kind === 'delete').length, 3);
      ok(evidence?.evidence.probes.every(({ sw }) => sw !== '9000'));
    });
  }

  it('come back under numbers that were never used, though the key is the same', async () => {
    const bench = await createSwitchBench(1);
    const desk = deskOf(bench);
    const first = await add(bench, desk);
    const second = await remove(bench, desk, BEACON, SHIELD);
    const third = await desk.start(adding(bench, CUT + 8 * HOUR_MS, 'again'));
    await runToEnd(desk, bench.ground, third, CUT + 10 * HOUR_MS);
    deepEqual(broken(await recordRehearsal(bench, desk, first, second, third)), []);
    const numbers =
      readersOf(bench, 'm-0')
        .get(BEACON)
        ?.map(({ sequence }) => sequence) ?? [];
    equal(new Set(numbers).size, numbers.length);
  });

  it('change hands one by one where there are two: a switch leaves the other alone', async () => {
    const bench = await createSwitchBench(1);
    const desk = deskOf(bench);
    const added = await add(bench, desk);
    const removed = await remove(bench, desk, SHIELD, BEACON);
    const plain = { ...order(bench.endpoints), requestId: 'back', cutOverAt: CUT + 8 * HOUR_MS };
    const switched = await desk.start({ ...plain, from: BEACON, to: SHIELD });
    await runToEnd(desk, bench.ground, switched, CUT + 10 * HOUR_MS);
    deepEqual(broken(await recordRehearsal(bench, desk, added, removed, switched)), []);
  });

  it('are added in spite of lost answers, power cuts, duplicates, replays, drift and absence', async () => {
    const faults = { offline: 30, 'lost-ack': 60, 'power-cut': 60, duplicate: 60, replay: 60, drift: 50 };
    const bench = await createSwitchBench(20, faults);
    const desk = deskOf(bench);
    const added = await add(bench, desk);
    const removed = await remove(bench, desk);
    const record = await recordRehearsal(bench, desk, added, removed);
    deepEqual(broken(record), []);
    equal(checkRehearsal(record).switched, 20);
  });

  it('are not added any more when the owner takes it back in time, and nothing is left', async () => {
    const bench = await createSwitchBench(2);
    const desk = deskOf(bench);
    const switchId = await desk.start(adding(bench));
    while ((await desk.progress(switchId)).working > 0) await new Promise((resolve) => setImmediate(resolve));
    await desk.control(switchId, 'cancel', []);
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const record = await recordRehearsal(bench, desk, switchId);
    deepEqual(broken(record), []);
    equal(checkRehearsal(record).rolledBack, 2);
    deepEqual([...readersOf(bench, 'm-0').keys()], [SHIELD]);
  });

  it('stay when a removal is taken back in time', async () => {
    const bench = await createSwitchBench(1);
    const desk = deskOf(bench);
    const added = await add(bench, desk);
    const switchId = await desk.start(removing(bench));
    while ((await desk.progress(switchId)).working > 0) await new Promise((resolve) => setImmediate(resolve));
    await desk.control(switchId, 'cancel', []);
    await runToEnd(desk, bench.ground, switchId, CUT + 6 * HOUR_MS);
    deepEqual(broken(await recordRehearsal(bench, desk, added, switchId)), []);
    const [meter] = await desk.meters(switchId);
    equal(meter?.state, 'rolled-back');
    const parties = (await bench.bench.store.domains('m-0')).map(({ party }) => party);
    ok(parties.includes(partyId(SHIELD)) && parties.includes(partyId(BEACON)));
  });

  it('are added and removed whatever moment the service is killed at', async () => {
    for (let killAt = 1; killAt < KILL_POINTS; killAt += 7) {
      const bench = await openBench(1, {}, 'obu');
      let effects = 0;
      const doomed = bench.office({ isAlive: () => ++effects < killAt });
      await Promise.race([doomed.start(adding(bench)).catch(() => undefined), settled()]);
      for (let before = 0; before !== effects; await settled()) before = effects;
      // One that lives after everything was staged is killed at or after the instant.
      if (effects < killAt) {
        await bench.ground.advance(CUT);
        doomed.advance(CUT);
        for (let before = 0; before !== effects; await settled()) before = effects;
      }
      const desk = bench.office();
      await desk.resume();
      const switchId = await desk.start(adding(bench));
      await runToEnd(desk, bench.ground, switchId, CUT + 2 * HOUR_MS);
      const removed = await remove(bench, desk);
      deepEqual(broken(await recordRehearsal(bench, desk, switchId, removed)), [], `killed at ${killAt}`);
      await desk.close();
      await bench.bench.close();
    }
  });

  it('are not two on a meter, and nobody comes twice or stays who is not there', async () => {
    const meters = await openBench(1);
    opened.push(meters.bench);
    const two = { ...order(meters.endpoints), verb: 'add' as const };
    await rejects(deskOf(meters).start(two), { code: 'PROVISIONING_REQUEST_INVALID' });
    const bench = await createSwitchBench(1);
    const desk = deskOf(bench);
    await rejects(desk.start(removing(bench)), { code: 'PROVISIONING_REQUEST_INVALID' });
    await add(bench, desk);
    await rejects(desk.start(adding(bench, CUT + 4 * HOUR_MS, 'twice')), {
      code: 'PROVISIONING_REQUEST_INVALID',
    });
  });
});

describe('the mandate of the owner', () => {
  afterEach(async () => {
    for (const item of opened.splice(0).toReversed()) await item.close();
  });

  async function started(bench: Bench, mandates: Parameters<SwitchOffice['start']>[0]['mandates']) {
    const desk = deskOf(bench, 'given');
    const switchId = await desk.start({ ...adding(bench), ...(mandates && { mandates }) });
    await runToEnd(desk, bench.ground, switchId, CUT + HOUR_MS);
    const [meter] = await desk.meters(switchId);
    return { desk, switchId, meter };
  }

  it('lets an insurer come when it is for this act, insurer, device and card, and in force', async () => {
    const bench = await createSwitchBench(1);
    const { desk, switchId, meter } = await started(bench, new Map([['m-0', await mandateFor(bench)]]));
    equal(meter?.state, 'confirmed');
    deepEqual(broken(await recordRehearsal(bench, desk, switchId)), []);
  });

  it('is needed: without one nothing reaches the card', async () => {
    const bench = await createSwitchBench(1);
    const { meter } = await started(bench, undefined);
    deepEqual([meter?.state, meter?.reason], ['exception', 'mandate-refused']);
    deepEqual([meter?.evidence.exchanges.length, meter?.evidence.receipts.length], [0, 0]);
  });

  for (const [what, changes, party, why] of [
    ['another card', { card: 'ff'.repeat(12) }, undefined, 'its card is'],
    ['another device', { endpoint: 'm-9' }, undefined, 'its endpoint is'],
    ['another insurer', { insurer: partyId('corner-garage') }, undefined, 'its insurer is'],
    ['a removal', { mandate: 'remove' }, undefined, 'its mandate is'],
    ['a time that is over', { validUntil: CUT - 12 * HOUR_MS }, undefined, 'it ended'],
    ['a time that ends before the instant', { validUntil: CUT - 1 }, undefined, 'outside of its validity'],
    ['a time that has not come', { validFrom: CUT + 1 }, undefined, 'outside of its validity'],
    ['ever', { validFrom: 0 }, undefined, 'more than a year'],
    ['no nonce', { nonce: '' }, undefined, 'no nonce'],
    ['the insurer by its own word', {}, BEACON, 'is not the owner'],
    ['the manufacturer by its own word', {}, 'apex-motors', 'is not the owner'],
  ] as const) {
    it(`is refused when it is for ${what}`, async () => {
      const bench = await createSwitchBench(1);
      const mandate = await mandateFor(bench, changes, party);
      const { meter } = await started(bench, new Map([['m-0', mandate]]));
      deepEqual([meter?.state, meter?.reason], ['exception', 'mandate-refused']);
      ok(meter?.detail.includes(why) === true, String(meter?.detail));
      deepEqual([...readersOf(bench, 'm-0').keys()], [SHIELD]);
    });
  }

  it('is refused when another signed in the name of the owner', async () => {
    const bench = await createSwitchBench(1);
    const forged = { ...(await mandateFor(bench, {}, BEACON)), party: 'vehicle-owner' };
    const { meter } = await started(bench, new Map([['m-0', forged]]));
    ok(meter?.detail.includes('did not sign it') === true, String(meter?.detail));
  });

  it('is refused when it was used before, even after the insurer has gone again', async () => {
    const bench = await createSwitchBench(1);
    const mandate = await mandateFor(bench, { validUntil: CUT + 100 * HOUR_MS });
    const { desk, meter } = await started(bench, new Map([['m-0', mandate]]));
    equal(meter?.state, 'confirmed');
    const removal = await mandateFor(bench, {
      mandate: 'remove',
      validUntil: CUT + 100 * HOUR_MS,
      nonce: 'ff'.repeat(16),
    });
    const going = removing(bench, BEACON, SHIELD);
    const removed = await desk.start({ ...going, mandates: new Map([['m-0', removal]]) });
    await runToEnd(desk, bench.ground, removed, CUT + 6 * HOUR_MS);
    equal((await desk.meters(removed))[0]?.state, 'confirmed');
    const again = { ...adding(bench, CUT + 8 * HOUR_MS, 'again'), mandates: new Map([['m-0', mandate]]) };
    const replayed = await desk.start(again);
    notEqual(replayed, removed);
    await runToEnd(desk, bench.ground, replayed, CUT + 9 * HOUR_MS);
    const [refused] = await desk.meters(replayed);
    deepEqual([refused?.state, refused?.reason], ['exception', 'mandate-refused']);
    ok(refused?.detail.includes('used before') === true, String(refused?.detail));
  });
});
