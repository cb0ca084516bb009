import { createHmac } from 'node:crypto';
import { constantTimeEqual } from '@sefleet/bytes';
import type { Peer, Runtime } from '@sefleet/runtime';
import type { ClientHelloStart } from '../codec/hello.ts';

/** Long enough that no client is caught by the change, short enough that collected cookies die. */
const SECRET_LIFETIME_MS = 5 * 60_000;
const SECRET_LENGTH = 32;
const COOKIE_LENGTH = 16;

/**
 * Cookies that prove a client's address without remembering it: a MAC over the address and what the
 * ClientHello repeats.
 * RFC 6347 §4.2.1.
 */
export class CookieJar {
  readonly #runtime: Runtime;
  #secret: Uint8Array;
  #previous: Uint8Array;
  #changedMs: number;

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
    this.#secret = runtime.rng.bytes(SECRET_LENGTH);
    this.#previous = this.#secret;
    this.#changedMs = runtime.clock.monotonicMs();
  }

  bake(from: Peer, hello: ClientHelloStart): Uint8Array {
    this.#refresh();
    return cookieOf(this.#secret, from, hello);
  }

  /** True for a cookie of ours under this secret or the one before. */
  accepts(from: Peer, hello: ClientHelloStart): boolean {
    if (hello.cookie.length !== COOKIE_LENGTH) return false;
    this.#refresh();
    return (
      constantTimeEqual(cookieOf(this.#secret, from, hello), hello.cookie) ||
      (this.#previous !== this.#secret &&
        constantTimeEqual(cookieOf(this.#previous, from, hello), hello.cookie))
    );
  }

  #refresh(): void {
    const nowMs = this.#runtime.clock.monotonicMs();
    if (nowMs - this.#changedMs < SECRET_LIFETIME_MS) return;
    this.#previous = this.#secret;
    this.#secret = this.#runtime.rng.bytes(SECRET_LENGTH);
    this.#changedMs = nowMs;
  }
}

function cookieOf(secret: Uint8Array, from: Peer, hello: ClientHelloStart): Uint8Array {
  const mac = createHmac('sha256', secret).update(`${from.address} ${from.port} ${hello.version} `);
  return mac.update(hello.random).update(hello.sessionId).digest().subarray(0, COOKIE_LENGTH);
}
