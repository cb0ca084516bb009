/** What a secured channel has proven about the other side. A plain channel proves nothing: `none`. */
export type PeerIdentity =
  | { readonly kind: 'none' }
  | { readonly kind: 'psk'; readonly identity: string }
  | { readonly kind: 'rpk'; readonly subjectPublicKeyInfo: Uint8Array }
  | { readonly kind: 'x509'; readonly commonName: string; readonly chain: readonly Uint8Array[] };

/**
 * The other end of a conversation on a channel.
 *
 * `key` stands for the conversation: address and port on plain UDP, the session on DTLS, where it stays the
 * same when the address changes (RFC 9146). Protocols above use `key` for their tables and never the address.
 */
export interface Peer {
  readonly key: string;
  /** The address last seen; on DTLS it may change while `key` stays. */
  readonly address: string;
  readonly port: number;
  readonly identity: PeerIdentity;
}

/**
 * What a channel's user is told. Handlers never throw; what they throw ends the process as a fault of theirs.
 */
export interface DatagramHandlers {
  /** One datagram. `data` is valid until the handler returns: copy what is kept. */
  datagram(data: Uint8Array, peer: Peer): void;
  /** The conversation is over (session closed or lost); nothing more comes from this `key`. */
  peerGone?(peer: Peer, reason: string): void;
}

/**
 * Unreliable datagrams to and from many peers. A UDP socket is one, a DTLS endpoint on top of it another, a
 * simulated network a third; CoAP runs on any of them.
 *
 * `send` gathers: an implementation may hold what is sent until the current turn ends and hand it to the
 * system in one batch. It never throws for a peer that is gone or a queue that is full; it drops and counts.
 */
export interface DatagramChannel {
  /** Takes over what arrives. To be called once, before anything is sent. */
  listen(handlers: DatagramHandlers): void;
  /** Sends one datagram to `peer`. `data` may be reused by the caller after the call. */
  send(data: Uint8Array, peer: Peer): void;
  /** The largest payload in bytes that travels to `peer` without IP fragmentation. */
  maxPayload(peer: Peer): number;
  /** Where the channel is bound. */
  localAddress(): { readonly address: string; readonly port: number };
  /** Counters since the start, by name (`received`, `sent`, `dropped.queueFull`, ...). */
  counters(): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

/** A plain channel can speak to an address that it has not heard of; a secured one makes a session first. */
export interface AddressableChannel extends DatagramChannel {
  /** The peer at a literal IP address. The same address and port give an equal `key`. */
  peerAt(address: string, port: number): Peer;
}
