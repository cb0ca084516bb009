export type { Clock, Timer, Timers } from './clock.ts';
export type {
  AddressableChannel,
  DatagramChannel,
  DatagramHandlers,
  Peer,
  PeerIdentity,
} from './datagram-channel.ts';
export type { Rng } from './rng.ts';
export type { Runtime } from './runtime.ts';
export type { StreamConnection, StreamHandlers, StreamListener } from './stream-channel.ts';
