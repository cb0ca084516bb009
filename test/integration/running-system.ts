import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { common } from '@sefleet/api';
import { connectBackend, type Backend } from '../../services/cli/src/backend.ts';
import { onFreePorts, readLayout, type Layout } from '../../services/cli/src/supervisor/layout.ts';
import { startServices, type Supervisor } from '../../services/cli/src/supervisor/supervisor.ts';

/** The whole system on free ports and in a folder of its own, for one test file. */
export interface RunningSystem {
  readonly layout: Layout;
  readonly supervisor: Supervisor;
  readonly backend: Backend;
  readonly restarts: string[];
  stop(): Promise<void>;
}

/**
 * Starts all four services; `stop` ends them and removes what they kept.
 *
 * @param part what is different from the layout that an empty environment gives
 */
export async function startSystem(part: Partial<Layout> = {}): Promise<RunningSystem> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'sefleet-system-'));
  const layout = await onFreePorts({ ...readLayout({}), ...part, dataFolder });
  const restarts: string[] = [];
  const supervisor = await startServices({
    layout,
    logLevel: 'info',
    onEvent: (event) => {
      if (event.kind === 'restarting') restarts.push(event.service);
    },
  });
  const backend = connectBackend(layout);
  return {
    layout,
    supervisor,
    backend,
    restarts,
    stop: async () => {
      backend.close();
      await supervisor.stop();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

/** Switches a small fleet on and waits until every device is registered. */
export async function startFleet(
  backend: Backend,
  counts: { readonly meters: number; readonly obus: number; readonly gateways: number },
): Promise<void> {
  const kinds = [
    { kind: common.DeviceKind.SMART_METER, count: counts.meters, readingIntervalMs: 500 },
    { kind: common.DeviceKind.OBU, count: counts.obus, readingIntervalMs: 500 },
    { kind: common.DeviceKind.RPM_GATEWAY, count: counts.gateways, readingIntervalMs: 500 },
  ];
  await backend.simulation.startFleet({ kinds, seed: 11n }, { deadlineMs: 30_000 });
  await untilRegistered(backend, counts.meters + counts.obus + counts.gateways);
}

/** Waits until the simulator says that so many devices are registered. */
export async function untilRegistered(backend: Backend, devices: number): Promise<void> {
  await until(`${devices} devices registered`, async () => {
    const { progress } = await backend.simulation.getFleet({});
    return (progress?.kinds.reduce((sum, kind) => sum + Number(kind.registered), 0) ?? 0) >= devices;
  });
}

/** Asks again until `condition` holds; a failing call counts as not yet. */
export async function until(
  what: string,
  condition: () => Promise<boolean>,
  limitMs = 90_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`${what}: not within ${limitMs} ms`, { cause: last });
}
