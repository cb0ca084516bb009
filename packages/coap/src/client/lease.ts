import type { SefleetError } from '@sefleet/errors';
import type { Runtime, Timer } from '@sefleet/runtime';
import { coapError } from '../errors.ts';
import type { CoapRequestInit } from '../request.ts';

/** What ends early when its caller's bounds are reached. */
interface Withdrawable {
  failed(error: SefleetError): void;
}

/** The caller's bounds on a request of any number of messages: its signal and its time. */
export class RequestLease {
  readonly #signal: AbortSignal | undefined;
  readonly #timer: Timer | undefined;
  #error: SefleetError | undefined;
  #exchange: Withdrawable | undefined;

  constructor(runtime: Runtime, init: CoapRequestInit) {
    const { signal, timeoutMs } = init;
    this.#signal = signal;
    if (signal?.aborted === true) this.#onAbort();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#timer =
      timeoutMs === undefined
        ? undefined
        : runtime.timers.after(timeoutMs, () =>
            this.#end(
              coapError('COAP_TIMEOUT', `no answer within ${timeoutMs} ms`, { context: { timeoutMs } }),
            ),
          );
  }

  /** Fails when the lease has run out between two messages. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** The message to give up when the lease runs out. */
  covers(exchange: Withdrawable): void {
    this.#exchange = exchange;
  }

  release(): void {
    this.#timer?.cancel();
    this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #end(error: SefleetError): void {
    this.#error = error;
    this.#exchange?.failed(error);
  }

  readonly #onAbort = (): void =>
    this.#end(coapError('COAP_ABORTED', 'the caller withdrew the request', { cause: this.#signal?.reason }));
}
