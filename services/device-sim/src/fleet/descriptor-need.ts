import { simulationError } from '../errors.ts';
import type { FleetPlan } from '../store/fleet-store.ts';

/** Files, gRPC, and sockets of devices that are just being replaced by others. */
const SPARE_DESCRIPTORS = 1000;

/**
 * Makes sure that every device of a plan can have its socket; vehicles have one more, to the broker.
 *
 * @param limit file descriptors that this process may open; undefined when the system does not tell
 * @throws SefleetError `SIM_PLAN_INVALID`
 */
export function checkDescriptors({ kinds }: Pick<FleetPlan, 'kinds'>, limit: number | undefined): void {
  const needed = kinds.reduce((sum, { kind, count }) => sum + count * (kind === 'obu' ? 2 : 1), 0);
  if (limit === undefined || needed + SPARE_DESCRIPTORS <= limit) return;
  const message = `the fleet needs ${needed + SPARE_DESCRIPTORS} file descriptors, and this process has ${limit}`;
  throw simulationError('SIM_PLAN_INVALID', message, {
    hint: 'Raise the limit of the process that runs sefleet (ulimit -n), or take fewer devices.',
  });
}
