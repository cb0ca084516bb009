export { createNodeRuntime } from './node-runtime.ts';
export type { NodeRuntime } from './node-runtime.ts';
export { UdpChannel } from './udp-channel.ts';
export type { UdpChannelOptions } from './udp-channel.ts';
