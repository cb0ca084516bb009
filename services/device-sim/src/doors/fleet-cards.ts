import { common } from '@sefleet/api';
import type { DeviceKind } from '../device-kind.ts';
import type { VirtualDevice } from '../device/virtual-device.ts';
import type { Simulation } from '../fleet/simulation.ts';
import type { BenchCard, CardDirectory } from './card-directory.ts';

const KINDS: Readonly<Record<DeviceKind, common.DeviceKind>> = {
  'smart-meter': common.DeviceKind.SMART_METER,
  obu: common.DeviceKind.OBU,
  'rpm-gateway': common.DeviceKind.RPM_GATEWAY,
};

/** The cards of whatever fleet runs now. */
export function createFleetCards(simulation: Simulation): CardDirectory {
  return {
    endpoints: () => [...(simulation.fleet?.devices ?? [])].map(({ endpoint }) => endpoint).toSorted(),
    find: (endpoint) => {
      const device = simulation.fleet?.device(endpoint);
      return device === undefined ? undefined : toBenchCard(device);
    },
  };
}

function toBenchCard(device: VirtualDevice): BenchCard {
  const { endpoint, kind, card } = device;
  return {
    endpoint,
    kind: KINDS[kind],
    revision: card.revision,
    applications: card.applications,
    describe: () => card.describe(),
    transmit: (command) => card.answer(command),
    reset: () => card.reset(),
    watch: (watcher) => card.watch(watcher),
    image: () => card.image(),
    replace: (image) => device.replaceCard(image),
  };
}
