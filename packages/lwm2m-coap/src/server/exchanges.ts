import type { ClientObservation, CoapRequestInit, CoapResponse, NotificationListener } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import type { Runtime } from '@sefleet/runtime';
import type { OperationOptions } from './device-operations.ts';
import type { Connection, DeviceState } from './device-state.ts';
import { serverError } from './errors.ts';
import type { Presence } from './presence.ts';

const OPERATION_TIMEOUT_MS = 60_000;

/** Sends requests to devices once they listen, and turns what goes wrong into errors of this room. */
export class Exchanges {
  readonly #runtime: Runtime;
  readonly #presence: Presence;
  readonly #timeoutMs: number;

  constructor(runtime: Runtime, presence: Presence, timeoutMs: number | undefined) {
    this.#runtime = runtime;
    this.#presence = presence;
    this.#timeoutMs = timeoutMs ?? OPERATION_TIMEOUT_MS;
  }

  request(device: DeviceState, init: CoapRequestInit, options: OperationOptions = {}): Promise<CoapResponse> {
    return this.#run(device, options, ({ coap, peer }, bounds) => coap.request(peer, { ...init, ...bounds }));
  }

  observe(
    device: DeviceState,
    init: CoapRequestInit,
    listener: NotificationListener,
    options: OperationOptions = {},
  ): Promise<ClientObservation> {
    return this.#run(device, options, ({ coap, peer }, bounds) =>
      coap.observe(peer, { ...init, ...bounds }, listener),
    );
  }

  async #run<T>(
    device: DeviceState,
    options: OperationOptions,
    exchange: (connection: Connection, bounds: Pick<CoapRequestInit, 'timeoutMs' | 'signal'>) => Promise<T>,
  ): Promise<T> {
    const { endpoint } = device.registration;
    const deadlineMs = this.#runtime.clock.monotonicMs() + (options.timeoutMs ?? this.#timeoutMs);
    await this.#awaitDevice(device, deadlineMs, options);
    const { connection } = device;
    if (connection === undefined) throw unavailable(endpoint);
    const timeoutMs = Math.max(1, deadlineMs - this.#runtime.clock.monotonicMs());
    try {
      const answer = await exchange(connection, { timeoutMs, signal: options.signal });
      this.#presence.heard(device);
      return answer;
    } catch (error) {
      if (isSefleetError(error, 'COAP_TIMEOUT')) {
        this.#presence.unheard(device);
        throw serverError('LWM2M_OPERATION_TIMEOUT', `${endpoint} did not answer`, { cause: error });
      }
      if (isSefleetError(error, 'COAP_PEER_GONE')) throw unavailable(endpoint, error);
      throw error;
    }
  }

  async #awaitDevice(device: DeviceState, deadlineMs: number, options: OperationOptions): Promise<void> {
    if (device.reachable) return;
    const whenAway = options.whenAway ?? (device.registration.queueMode ? 'wait' : 'fail');
    if (whenAway === 'fail') throw unavailable(device.registration.endpoint);
    const leftMs = deadlineMs - this.#runtime.clock.monotonicMs();
    await this.#presence.reachable(device, leftMs, options.signal);
  }
}

function unavailable(endpoint: string, cause?: unknown): Error {
  return serverError('LWM2M_DEVICE_UNAVAILABLE', `${endpoint} cannot be reached now`, {
    context: { endpoint },
    cause,
    hint: 'Ask with a longer time-out and let the operation wait for the device.',
  });
}
