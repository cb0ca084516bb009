import type { SefleetError } from '@sefleet/errors';
import type { Peer, Runtime } from '@sefleet/runtime';
import { PeerTable } from '../message/peer-table.ts';
import type { IncomingMessage } from '../message/transport.ts';

/** A request or observation of ours that waits for responses under its token. */
export interface TokenOwner {
  readonly peer: Peer;
  /** A response with its token; false to refuse it. */
  response(response: IncomingMessage): boolean;
  /** The peer is gone or the endpoint closes. */
  failed(error: SefleetError): void;
}

const TOKEN_BYTES = 4;
/** Empty entries of peers are forgotten after this time. */
const IDLE_MS = 60_000;

/**
 * Who waits for which token from which peer. Tokens are 32 random bits, so that somebody who does not see the
 * requests cannot make up responses (RFC 7252 §5.3.1).
 */
export class TokenTable {
  readonly #runtime: Runtime;
  readonly #byPeer: PeerTable<Map<number, TokenOwner>>;
  #size = 0;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#byPeer = new PeerTable(
      runtime.clock,
      IDLE_MS,
      () => new Map<number, TokenOwner>(),
      (owners) => owners.size === 0,
    );
  }

  get size(): number {
    return this.#size;
  }

  /** Gives `owner` a token that is not in use towards its peer. */
  add(owner: TokenOwner): number {
    const owners = this.#byPeer.obtain(owner.peer);
    let token: number;
    do token = Math.trunc(this.#runtime.rng.fraction() * 0x100000000) | 0;
    while (owners.has(token));
    owners.set(token, owner);
    this.#size++;
    return token;
  }

  remove(peer: Peer, token: number): void {
    if (this.#byPeer.find(peer.key)?.delete(token) === true) this.#size--;
  }

  find(peer: Peer, token: Uint8Array): TokenOwner | undefined {
    return token.length === TOKEN_BYTES ? this.#byPeer.find(peer.key)?.get(tokenNumber(token)) : undefined;
  }

  failPeer(peer: Peer, error: SefleetError): void {
    const owners = this.#byPeer.take(peer.key);
    if (owners !== undefined) this.#fail(owners, error);
  }

  failAll(error: SefleetError): void {
    for (const owners of this.#byPeer.values()) this.#fail(owners, error);
  }

  #fail(owners: Map<number, TokenOwner>, error: SefleetError): void {
    const failing = [...owners.values()];
    this.#size -= owners.size;
    owners.clear();
    for (const owner of failing) owner.failed(error);
  }
}

export function tokenBytes(token: number): Uint8Array {
  const bytes = new Uint8Array(TOKEN_BYTES);
  bytes[0] = token >>> 24;
  bytes[1] = token >>> 16;
  bytes[2] = token >>> 8;
  bytes[3] = token;
  return bytes;
}

function tokenNumber(token: Uint8Array): number {
  const [a = 0, b = 0, c = 0, d = 0] = token;
  return (a << 24) | (b << 16) | (c << 8) | d;
}
