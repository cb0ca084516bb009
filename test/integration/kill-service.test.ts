import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compareLedgers } from '../../services/cli/src/demo/ledger.ts';
import { SERVICE_NAMES } from '../../services/cli/src/supervisor/layout.ts';
import { startFleet, startSystem, until, untilRegistered, type RunningSystem } from './running-system.ts';

const FLEET = { meters: 6, obus: 3, gateways: 3 };
const DEVICES = FLEET.meters + FLEET.obus + FLEET.gateways;

let system: RunningSystem;

before(async () => {
  system = await startSystem();
  await startFleet(system.backend, FLEET);
});

after(() => system.stop());

const stored = async (): Promise<bigint> =>
  (await system.backend.telemetry.getIngestStatistics({})).recordsStored;

/** Records that the whole fleet has had stored, counted in the store itself. */
async function ledgerStored(): Promise<number> {
  return (await compareLedgers(system.backend)).stored;
}

for (const name of SERVICE_NAMES) {
  test(`kill -9 of ${name} in mid-stream loses and doubles no reading`, async () => {
    const before = await ledgerStored();
    await until('readings flow', async () => (await ledgerStored()) > before + DEVICES);
    const pid = system.supervisor.pids().get(name);
    assert.ok(pid !== undefined, `${name} runs`);
    process.kill(pid, 'SIGKILL');
    await until(`${name} is back`, () => {
      const now = system.supervisor.pids().get(name);
      return Promise.resolve(now !== undefined && now !== pid);
    });
    assert.ok(system.restarts.includes(name));
    await until('the service answers', async () => (await stored()) >= 0n);
    await untilRegistered(system.backend, DEVICES);
    const resumed = await ledgerStored();
    await until('readings flow again', async () => (await ledgerStored()) > resumed + DEVICES);
  });
}

test('after all of it every record that a device sealed is stored exactly once', async () => {
  const drained = await system.backend.simulation.drainFleet({ timeoutMs: 60_000 }, { deadlineMs: 70_000 });
  assert.equal(drained.drained, true);
  let ledger = await compareLedgers(system.backend);
  await until('ingest has taken everything', async () => {
    ledger = await compareLedgers(system.backend);
    return ledger.lost === 0;
  }).catch(() => undefined);
  assert.ok(ledger.sent > DEVICES * 10, `${ledger.sent} records were sent`);
  assert.deepEqual(
    {
      lost: ledger.lost,
      duplicated: ledger.duplicated,
      unexpected: ledger.unexpected,
      differences: ledger.differences,
    },
    { lost: 0, duplicated: 0, unexpected: 0, differences: [] },
  );
});
