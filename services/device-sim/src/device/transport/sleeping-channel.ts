import type { AddressableChannel, DatagramHandlers, Peer } from '@sefleet/runtime';

/** A socket whose radio can be switched off: what arrives then is lost, as with a modem that sleeps. */
export class SleepingChannel implements AddressableChannel {
  readonly #channel: AddressableChannel;
  #listening = true;
  #missed = 0;

  constructor(channel: AddressableChannel) {
    this.#channel = channel;
  }

  setListening(listening: boolean): void {
    this.#listening = listening;
  }

  listen(handlers: DatagramHandlers): void {
    this.#channel.listen({
      datagram: (data, peer) => {
        if (this.#listening) handlers.datagram(data, peer);
        else this.#missed++;
      },
      peerGone: (peer, reason) => handlers.peerGone?.(peer, reason),
    });
  }

  peerAt(address: string, port: number): Peer {
    return this.#channel.peerAt(address, port);
  }

  send(data: Uint8Array, peer: Peer): void {
    this.#channel.send(data, peer);
  }

  maxPayload(peer: Peer): number {
    return this.#channel.maxPayload(peer);
  }

  localAddress(): { readonly address: string; readonly port: number } {
    return this.#channel.localAddress();
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#channel.counters(), 'radio.missed': this.#missed };
  }

  close(): Promise<void> {
    return this.#channel.close();
  }
}
