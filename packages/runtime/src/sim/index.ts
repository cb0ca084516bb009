export { SimChannel, SimNetwork } from './sim-network.ts';
export type { NetworkConditions } from './sim-network.ts';
export { createSeededRng, SimRuntime } from './sim-runtime.ts';
