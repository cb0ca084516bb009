import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { GenericContainer, Wait, type StartedTestContainer } from 'testcontainers';
import { compareLedgers } from '../../services/cli/src/demo/ledger.ts';
import { startFleet, startSystem, until, type RunningSystem } from '../integration/running-system.ts';

const CLICKHOUSE = 'clickhouse/clickhouse-server:25.8';
const PASSWORD = 'sefleet-test';

const engine = spawnSync('docker', ['info'], { timeout: 10_000 });
const options = engine.status === 0 ? {} : { skip: 'no container engine answers (docker info)' };

let clickhouse: StartedTestContainer | undefined;
let system: RunningSystem | undefined;

before(async () => {
  if (options.skip !== undefined) return;
  clickhouse = await new GenericContainer(CLICKHOUSE)
    .withEnvironment({ CLICKHOUSE_PASSWORD: PASSWORD })
    .withExposedPorts(8123)
    .withWaitStrategy(Wait.forHttp('/ping', 8123))
    .start();
  const { host, port } = { host: clickhouse.getHost(), port: clickhouse.getMappedPort(8123) };
  process.env['SEFLEET_CLICKHOUSE_URL'] = `http://default:${PASSWORD}@${host}:${port}`;
  system = await startSystem();
});

after(async () => {
  delete process.env['SEFLEET_CLICKHOUSE_URL'];
  await system?.stop();
  await clickhouse?.stop();
});

test('a ClickHouse server takes the place of the embedded one and holds every record', options, async () => {
  assert.ok(system !== undefined);
  const { backend } = system;
  await startFleet(backend, { meters: 4, obus: 2, gateways: 2 });
  await until('readings are stored', async () => (await compareLedgers(backend)).stored > 30);
  await backend.simulation.drainFleet({ timeoutMs: 30_000 }, { deadlineMs: 40_000 });
  await until('nothing is missing', async () => (await compareLedgers(backend)).lost === 0);
  const { duplicated, unexpected } = await compareLedgers(backend);
  assert.deepEqual({ duplicated, unexpected }, { duplicated: 0, unexpected: 0 });
});
