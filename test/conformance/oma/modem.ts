import type { DatagramChannel } from '@sefleet/runtime';

/** A modem: while it sleeps, nothing arrives. */
export function gated(channel: DatagramChannel, listening: () => boolean): DatagramChannel {
  return {
    listen: (handlers) =>
      channel.listen({
        ...handlers,
        datagram: (data, peer) => {
          if (listening()) handlers.datagram(data, peer);
        },
      }),
    send: (data, peer) => channel.send(data, peer),
    maxPayload: (peer) => channel.maxPayload(peer),
    localAddress: () => channel.localAddress(),
    counters: () => channel.counters(),
    close: () => channel.close(),
  };
}
