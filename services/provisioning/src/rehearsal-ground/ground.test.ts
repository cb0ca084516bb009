import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { toHex } from '@sefleet/bytes';
import { encodeApdu, selectCommand } from '@sefleet/globalplatform';
import { exportCard } from '@sefleet/secure-element';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { createBench } from '../testing/factory-bench.ts';
import { GroundStore } from './ground-store.ts';
import { Ground } from './ground.ts';
import type { GroundPlan } from './ground-plan.ts';

const START = Date.UTC(2026, 5, 1, 20);
const INTERVAL_MS = 15 * 60_000;
const SELECT = encodeApdu(selectCommand(new Uint8Array()));

const folder = mkdtempSync(join(tmpdir(), 'sefleet-ground-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const bench = await createBench();
after(() => bench.close());
const { rng } = bench.runtime;

async function putUp(store: GroundStore, faults: Readonly<Record<string, number>> = {}): Promise<Ground> {
  const endpoints = ['m-1', 'm-2', 'm-3'];
  const { domains, supplier } = CARD_PLANS['smart-meter'];
  const recordsApplet = domains.find(({ role }) => role === supplier)?.records;
  ok(recordsApplet !== undefined);
  const cards = [];
  const orders = endpoints.map((endpoint) => ({ endpoint, kind: 'smart-meter' as const }));
  for await (const batch of bench.factory.deliver(orders, new AbortController().signal)) {
    for (const { device, image } of batch)
      cards.push({ endpoint: device.endpoint, image, recordsApplet, other: undefined });
  }
  const plan: GroundPlan = {
    seed: '3',
    startAt: START,
    intervalMs: INTERVAL_MS,
    cutOverAt: START + 4 * INTERVAL_MS,
    metric: 1,
    faults: new Map(Object.entries(faults)),
  };
  return Ground.putUp(plan, cards, rng, store);
}

/** Everything of a ground that anybody can see; bytes in hexadecimal. */
function seen(ground: Ground) {
  return [...ground.collect()].map(({ card, records, exchanges, ...meter }) => {
    const [own, ...others] = [exportCard(card), ...records, ...exchanges].map(toHex);
    return { ...meter, records: records.length, bytes: others, card: own };
  });
}

describe('a rehearsal ground', () => {
  it('is found again as it was, whenever it is killed: cards, registers, records, exchanges', async () => {
    const file = join(folder, 'found.sqlite');
    const ground = await putUp(new GroundStore(file), { drift: 100, duplicate: 100 });
    for (let step = 1; step <= 4; step++) {
      await ground.advance(START + step * INTERVAL_MS - 1);
      await ground.exchange('m-2', [SELECT]);
      await ground.at('m-3', (meter) => meter.schedule(START + 10 * INTERVAL_MS));
      const heir = Ground.restore(rng, new GroundStore(file));
      ok(heir !== undefined);
      deepEqual(seen(heir), seen(ground));
      deepEqual(heir.plan, ground.plan);
      // Both live on in the same way.
      equal(await heir.advance(START), await ground.advance(START));
    }
    const [meter, asked] = seen(ground);
    ok((asked?.bytes.length ?? 0) > 8, 'records and exchanges');
    equal(meter?.records, 4);
  });

  it('counts commands on: a fault that was played is not played again', async () => {
    const file = join(folder, 'faults.sqlite');
    const ground = await putUp(new GroundStore(file), { 'power-cut': 100 });
    let before = 0;
    for (;;) {
      try {
        await ground.exchange('m-1', [SELECT]);
        before++;
      } catch {
        break;
      }
    }
    const heir = Ground.restore(rng, new GroundStore(file));
    ok(heir !== undefined);
    for (let i = 0; i <= before; i++) await heir.exchange('m-1', [SELECT]);
  });

  it('goes on for the old supplier where the card refused the instant, after a kill too', async () => {
    const file = join(folder, 'instant.sqlite');
    const ground = await putUp(new GroundStore(file));
    const instant = START + 2 * INTERVAL_MS;
    await ground.at('m-1', (meter) => {
      // No card takes such an order: the meter goes on for the old supplier.
      meter.prepare(new Uint8Array(32));
      meter.schedule(instant);
    });
    await ground.advance(instant);
    const heir = Ground.restore(rng, new GroundStore(file));
    ok(heir !== undefined);
    await heir.advance(instant + INTERVAL_MS);
    const [meter] = seen(heir);
    deepEqual([meter?.records, meter?.cutOvers.length], [4, 0]);
  });

  it('tells nobody anything any more when its disk has failed', async () => {
    const store = new GroundStore(join(folder, 'failing.sqlite'));
    const ground = await putUp(store);
    store.close();
    await rejects(ground.exchange('m-1', [SELECT]));
    await rejects(ground.at('m-2', () => 'anything'));
    await rejects(ground.advance(START + INTERVAL_MS));
  });

  it('is nothing before it was put up', () => {
    equal(Ground.restore(rng, new GroundStore(':memory:')), undefined);
  });
});
