import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { encodeApdu, openScp03Session, selectCommand, aidBytes } from '@sefleet/globalplatform';
import { RecordsClient } from '@sefleet/secure-element';
import { CARD_PLANS } from '../domain/card-plan.ts';
import { keyVersionOf } from '../domain/key-versions.ts';
import type { DeviceKind } from '../domain/device-kind.ts';
import { partyId } from '../domain/party.ts';
import { provisioningError } from '../errors.ts';
import { createBench } from '../testing/factory-bench.ts';
import { RotationOrders } from './rotation-orders.ts';
import { RotationRunner } from './rotation-runner.ts';

type Bench = Awaited<ReturnType<typeof createBench>>;

/** Scripts of one rotation, roughly. */
const EXCHANGES = 20;

const SUPPLIER = { requestId: 'r1', stakeholder: '', endpoints: [], concurrency: 4 };

function office(bench: Bench) {
  const runner = new RotationRunner(bench);
  return { runner, orders: new RotationOrders({ ...bench, runner, defaultConcurrency: 8 }) };
}

/** A newer record key, which the rotation has to bring along. */
async function renewRecordKey({ custody }: Bench): Promise<void> {
  await custody.vault(partyId('northern-power')).ensureMaster('record', 2);
}

/** Which record key the meter seals under. */
function recordKeyVersion({ cards }: Bench): number | undefined {
  const card = cards.get('m');
  const plan = CARD_PLANS['smart-meter'].domains.find(({ party }) => party === 'northern-power');
  ok(card !== undefined && plan !== undefined);
  return new RecordsClient(card.transmit, plan.records).status().keyVersion;
}

async function finished(bench: Bench, rotationId: string) {
  for (;;) {
    const progress = await bench.store.rotation(rotationId);
    if (progress === undefined) throw new RangeError(rotationId);
    if (progress.done) return progress;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function fleet(size: number): { endpoint: string; kind: DeviceKind }[] {
  const kinds: DeviceKind[] = ['smart-meter', 'obu', 'rpm-gateway'];
  return Array.from({ length: size }, (_, i) => ({ endpoint: `d-${i}`, kind: kinds[i % 3] ?? 'obu' }));
}

describe('rotation', () => {
  it('rotates the supplier keys of every kind, confirms them and sees the old ones refused', async () => {
    const bench = await createBench();
    await bench.make(fleet(6));
    const { orders } = office(bench);
    const started = await orders.start(SUPPLIER);
    const progress = await finished(bench, started.rotationId);
    deepEqual(progress.failures, []);
    equal(progress.confirmed, 6);
    equal(progress.oldKeyRefused, 6);
    for (const { endpoint, generation, role } of await bench.store.domainsOf(
      ['d-0', 'd-1', 'd-2'],
      new Set(['energy-supplier', 'insurer', 'healthcare-provider']),
    )) {
      equal(generation, 2, `${endpoint} ${role}`);
    }
    await bench.close();
  });

  it('answers the same request id with the same rotation', async () => {
    const bench = await createBench();
    await bench.make(fleet(3));
    const { orders } = office(bench);
    const first = await orders.start(SUPPLIER);
    await finished(bench, first.rotationId);
    const again = await orders.start(SUPPLIER);
    equal(again.rotationId, first.rotationId);
    equal(again.total, 3);
    await bench.close();
  });

  it('rotates seventeen times, past the end of the key version numbers', async () => {
    const bench = await createBench();
    await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    const { orders } = office(bench);
    for (let i = 0; i < 17; i++) {
      const { rotationId } = await orders.start({ ...SUPPLIER, requestId: `r${i}` });
      deepEqual((await finished(bench, rotationId)).failures, []);
    }
    const [domain] = await bench.store.domainsOf(['m'], new Set(['energy-supplier']));
    equal(domain?.generation, 18);
    await bench.close();
  });

  it('finds out which key a card holds after a power cut around any exchange', async () => {
    const counting = await createBench();
    await counting.make([{ endpoint: 'm', kind: 'smart-meter' }]);
    await renewRecordKey(counting);
    const { rotationId } = await office(counting).orders.start(SUPPLIER);
    await finished(counting, rotationId);
    const { exchanges } = counting.links;
    await counting.close();
    for (const when of ['before', 'after'] as const) {
      for (let cut = 1; cut <= exchanges; cut++) await survives(cut, when);
    }
  });

  it('goes on by itself after the service was killed at any exchange', async () => {
    for (let kill = 1; kill <= EXCHANGES; kill++) {
      const bench = await createBench();
      await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
      await renewRecordKey(bench);
      let left = kill;
      // A killed process gets no answer any more, and asks nothing.
      const links = {
        open: (endpoint: string) => {
          const channel = bench.links.open(endpoint);
          return {
            ...channel,
            exchange: (commands: readonly Uint8Array[]) =>
              left-- > 0 ? channel.exchange(commands) : new Promise<never>(() => undefined),
          };
        },
      };
      const killed = office({ ...bench, links: links as unknown as Bench['links'] });
      const { rotationId } = await killed.orders.start(SUPPLIER);
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      const { runner } = office(bench);
      await runner.resume();
      const progress = await finished(bench, rotationId);
      deepEqual([kill, progress.failures, progress.confirmed], [kill, [], 1]);
      equal(recordKeyVersion(bench), 2);
      await bench.close();
    }
  });

  it('waits for a store that fails, and goes on when it answers', async () => {
    const bench = await createBench();
    await bench.make(fleet(3));
    const { orders } = office(bench);
    const failing = (name: 'devices' | 'moveRotation' | 'finishRotation') =>
      mock.method(bench.store, name, () => Promise.reject(new RangeError('down')), { times: 2 });
    failing('devices');
    failing('moveRotation');
    failing('finishRotation');
    const { rotationId } = await orders.start(SUPPLIER);
    const { failures, confirmed } = await finished(bench, rotationId);
    deepEqual([failures, confirmed], [[], 3]);
    await bench.close();
  });

  it('refuses a card that is not the one of the device', async () => {
    const bench = await createBench();
    await bench.make(fleet(6));
    const other = bench.cards.get('d-3');
    ok(other);
    bench.cards.set('d-0', other);
    const { orders } = office(bench);
    const { rotationId } = await orders.start({ ...SUPPLIER, endpoints: ['d-0'] });
    const { failures } = await finished(bench, rotationId);
    equal(failures[0]?.code, 'PROVISIONING_CARD_SWAPPED');
    await bench.close();
  });

  it('refuses unknown stakeholders and devices', async () => {
    const bench = await createBench();
    const { orders } = office(bench);
    await rejects(orders.start({ ...SUPPLIER, stakeholder: 'nobody' }), {
      code: 'PROVISIONING_STAKEHOLDER_NOT_FOUND',
    });
    await rejects(orders.start({ ...SUPPLIER, endpoints: ['ghost'] }), {
      code: 'PROVISIONING_DEVICE_NOT_FOUND',
    });
    await bench.close();
  });
});

/**
 * Kills the service around exchange number `cut`, starts it again on the same journal and looks at the card.
 */
async function survives(cut: number, when: 'before' | 'after'): Promise<void> {
  const bench = await createBench();
  await bench.make([{ endpoint: 'm', kind: 'smart-meter' }]);
  await renewRecordKey(bench);
  const killed = office(bench);
  let seen = 0;
  bench.links.onExchange = (_endpoint, moment) => {
    if (moment !== when) return;
    seen++;
    // A killed process writes nothing more: what it would have journalled is held back for ever.
    if (seen === cut) bench.links.onExchange = () => hang();
    if (seen >= cut) hang();
  };
  const { rotationId } = await killed.orders.start(SUPPLIER);
  await finished(bench, rotationId);
  bench.links.onExchange = () => undefined;
  bench.cards.get('m')?.reset();
  // The first process gave the device up; the next rotation finds the card in either state.
  const next = office(bench);
  const second = await next.orders.start({ ...SUPPLIER, requestId: 'again' });
  const progress = await finished(bench, second.rotationId);
  deepEqual(progress.failures, [], `cut ${when} ${cut}`);
  equal(recordKeyVersion(bench), 2, `cut ${when} ${cut}`);
  const [domain] = await bench.store.domainsOf(['m'], new Set(['energy-supplier']));
  const card = bench.cards.get('m');
  const device = (await bench.store.devices(['m'])).get('m');
  ok(domain && card && device);
  const place = CARD_PLANS['smart-meter'].domains[1];
  ok(place);
  card.transmit(encodeApdu(selectCommand(aidBytes(place.domain))));
  const keys = await bench.custody
    .vault(partyId('northern-power'))
    .diversify('domain', domain.generation, device.diversification);
  const session = await openScp03Session({
    transmit: (apdu) => card.transmit(apdu),
    keys,
    rng: bench.runtime.rng,
    keyVersion: keyVersionOf(domain.generation),
  });
  equal(session.keyVersion, keyVersionOf(domain.generation));
  await bench.close();
}

function hang(): never {
  throw provisioningError('PROVISIONING_KEY_STATE_UNKNOWN', 'the power was cut');
}
