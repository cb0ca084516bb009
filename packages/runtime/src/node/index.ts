export { FfiUdpChannel } from './ffi-udp-channel.ts';
export { createNodeRuntime } from './node-runtime.ts';
export type { NodeRuntime } from './node-runtime.ts';
export { UdpChannel } from './udp-channel.ts';
export type { UdpChannelOptions } from './udp-channel.ts';
export { connectStream, listenStream, toStreamConnection } from './stream-socket.ts';
export type { StreamAddress, StreamListenOptions, StreamTls } from './stream-socket.ts';
