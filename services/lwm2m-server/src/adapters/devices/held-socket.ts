import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { PskIdentityReader } from './psk-identity-reader.ts';

/**
 * A TCP connection whose bytes go on to TLS only when the pre-shared keys that they ask for are known:
 * `node:tls` wants a key at once, and the keys are with another service.
 */
export class HeldSocket extends Duplex {
  readonly #socket: Socket;

  /** @param find called with an identity before TLS sees it; what it rejects with is the same as unknown */
  constructor(socket: Socket, find: (identity: string) => Promise<unknown>) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    const reader = new PskIdentityReader();
    let before: Promise<void> | undefined;
    socket.on('data', (data: Buffer) => {
      const identities = reader.feed(data);
      if (identities.length > 0) {
        const found = Promise.allSettled(identities.map(find));
        before = (before ?? Promise.resolve()).then(async () => void (await found));
      }
      if (before === undefined) this.#pass(data);
      else {
        socket.pause();
        before = before.then(() => this.#pass(data));
        const last = before;
        void last.then(() => {
          if (before !== last) return;
          before = undefined;
          socket.resume();
        });
      }
    });
    socket.on('end', () => {
      if (before === undefined) this.push(null);
      else void before.then(() => this.push(null));
    });
    socket.on('error', (error) => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #pass(data: Buffer): void {
    if (!this.destroyed && !this.push(data)) this.#socket.pause();
  }
}
