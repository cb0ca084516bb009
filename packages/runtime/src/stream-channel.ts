import type { Peer } from './datagram-channel.ts';

/** What the user of a byte stream is told. */
export interface StreamHandlers {
  /** The next bytes, in order, cut anywhere. `data` is valid until the handler returns. */
  data(data: Uint8Array): void;
  /** The stream is over; called once. `error` is set unless both sides closed in an orderly way. */
  closed(error?: Error): void;
}

/** One reliable byte stream to one peer (TCP or TLS). */
export interface StreamConnection {
  readonly peer: Peer;
  listen(handlers: StreamHandlers): void;
  /** Queues bytes; false when the peer reads too slowly and the caller should wait for `writable`. */
  write(data: Uint8Array): boolean;
  /** Resolves when the queue has room again, or the stream is over. */
  writable(): Promise<void>;
  close(): void;
}

/** A listening stream socket. */
export interface StreamListener {
  localAddress(): { readonly address: string; readonly port: number };
  close(): Promise<void>;
}
