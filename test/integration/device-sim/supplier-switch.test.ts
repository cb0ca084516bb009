import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { switching } from '@sefleet/api';
import { createGrpcClient, readTlsFiles, type GrpcClient } from '@sefleet/service';
import { compareLedgers } from '../../../services/cli/src/demo/ledger.ts';
import { pkiFolder } from '../../../services/cli/src/supervisor/layout.ts';
import { startFleet, startSystem, until, type RunningSystem } from '../running-system.ts';

const METERS = 4;

let system: RunningSystem;
let office: GrpcClient<typeof switching.SwitchingService>;

before(async () => {
  system = await startSystem();
  const target = `127.0.0.1:${system.layout.provisioningGrpcPort}`;
  office = createGrpcClient(
    switching.SwitchingService,
    target,
    readTlsFiles(pkiFolder(system.layout), 'cli'),
  );
  await startFleet(system.backend, { meters: METERS, obus: 0, gateways: 0 });
});

after(async () => {
  office.close();
  await system.stop();
});

test('running meters change their supplier over the wire, and no reading is lost', async () => {
  const endpoints = Array.from({ length: METERS }, (_, i) => `urn:dev:sefleet:meter-00000${i + 1}`);
  const { switchId } = await office.startSwitch({
    requestId: randomUUID(),
    verb: switching.SwitchVerb.SWITCH,
    fromSupplier: 'northern-power',
    toSupplier: 'sunrise-energy',
    endpoints,
    cutOverAt: BigInt(Date.now() + 8000),
    concurrency: METERS,
  });
  await until('the switch is done', async () => (await office.getSwitch({ switchId })).done);
  const states: string[] = [];
  for await (const { meters } of office.listMeterSwitches({ switchId })) {
    states.push(...meters.map(({ state }) => state));
  }
  assert.deepEqual(states, Array<string>(METERS).fill('confirmed'));
  const { drained } = await system.backend.simulation.drainFleet(
    { timeoutMs: 60_000 },
    { deadlineMs: 70_000 },
  );
  assert.equal(drained, true);
  await until('every record is stored', async () => (await compareLedgers(system.backend)).lost === 0);
  const { duplicated, unexpected } = await compareLedgers(system.backend);
  assert.deepEqual({ duplicated, unexpected }, { duplicated: 0, unexpected: 0 });
  const suppliers = new Map<string, string[]>();
  for await (const { devices } of system.backend.telemetry.listLedger({})) {
    for (const { endpoint, stakeholder } of devices)
      suppliers.set(endpoint, [...(suppliers.get(endpoint) ?? []), stakeholder]);
  }
  for (const endpoint of endpoints)
    assert.deepEqual(suppliers.get(endpoint), ['northern-power', 'sunrise-energy']);
});
