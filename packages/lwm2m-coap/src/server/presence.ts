import type { Runtime } from '@sefleet/runtime';
import type { DeviceState, Waiting } from './device-state.ts';
import { serverError } from './errors.ts';
import type { Lwm2mServerEvents } from './settings.ts';

/** CoAP's MAX_TRANSMIT_WAIT with its default parameters (RFC 7252 §4.8.2), as Core §6.5 advises. */
const AWAKE_TIME_MS = 93_000;

/**
 * Knows which devices listen. A queue-mode device does so for the awake time after its last message (Core
 * §6.5); what is asked of it later waits here for its next one.
 */
export class Presence {
  readonly #runtime: Runtime;
  readonly #events: Lwm2mServerEvents;
  readonly #awakeTimeMs: number;
  readonly #maxWaiting: number;

  constructor(
    runtime: Runtime,
    events: Lwm2mServerEvents,
    options: { readonly awakeTimeMs: number | undefined; readonly maxWaiting: number },
  ) {
    this.#runtime = runtime;
    this.#events = events;
    this.#awakeTimeMs = options.awakeTimeMs ?? AWAKE_TIME_MS;
    this.#maxWaiting = options.maxWaiting;
  }

  /** A message of the device arrived: it listens again. */
  heard(device: DeviceState): void {
    if (device.registration.queueMode) this.#extendAwakeTime(device);
    else device.sleeping = false;
    if (device.waiting !== undefined && device.reachable) this.#wakeAll(device);
  }

  /** A request to a queue-mode device got no answer: it went to sleep early. */
  unheard(device: DeviceState): void {
    if (!device.registration.queueMode || device.sleeping) return;
    device.sleep?.cancel();
    device.sleep = undefined;
    this.#fallAsleep(device);
  }

  /** The device is no longer registered; what waits for it fails. */
  forget(device: DeviceState): void {
    device.sleep?.cancel();
    device.sleep = undefined;
    const waiting = device.waiting;
    device.waiting = undefined;
    for (const one of waiting ?? []) {
      one.wake(
        serverError('LWM2M_DEVICE_NOT_FOUND', `${device.registration.endpoint} is no longer registered`),
      );
    }
  }

  /**
   * Resolves when the device can be sent to.
   *
   * @throws SefleetError `LWM2M_OPERATION_TIMEOUT`, `LWM2M_OPERATION_QUEUE_FULL`, `LWM2M_DEVICE_NOT_FOUND`
   */
  async reachable(device: DeviceState, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (device.reachable) return;
    if (signal?.aborted === true) throw withdrawn();
    const { endpoint } = device.registration;
    device.waiting ??= new Set();
    const queue = device.waiting;
    if (queue.size >= this.#maxWaiting) {
      throw serverError('LWM2M_OPERATION_QUEUE_FULL', `too many operations wait for ${endpoint}`);
    }
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error): void => {
        timer.cancel();
        signal?.removeEventListener('abort', abort);
        queue.delete(waiting);
        if (error === undefined) resolve();
        else reject(error);
      };
      const late = (): void =>
        end(serverError('LWM2M_OPERATION_TIMEOUT', `${endpoint} did not wake in time`));
      const abort = (): void => end(withdrawn());
      const waiting: Waiting = { wake: end };
      const timer = this.#runtime.timers.after(timeoutMs, late);
      signal?.addEventListener('abort', abort, { once: true });
      queue.add(waiting);
    });
  }

  #wakeAll(device: DeviceState): void {
    // In a later turn: the device gets the answer to its own request first.
    this.#runtime.timers.after(0, () => {
      if (!device.reachable) return;
      const waiting = device.waiting;
      device.waiting = undefined;
      for (const one of waiting ?? []) one.wake();
    });
  }

  #extendAwakeTime(device: DeviceState): void {
    device.awakeUntilMs = this.#runtime.clock.monotonicMs() + this.#awakeTimeMs;
    if (device.sleeping) {
      device.sleeping = false;
      this.#events.awake?.(device.registration);
    }
    device.sleep ??= this.#runtime.timers.after(this.#awakeTimeMs, () => this.#onAwakeTimeOver(device));
  }

  /** One timer a device: when it fires early, because messages came since, it is set again for the rest. */
  #onAwakeTimeOver(device: DeviceState): void {
    device.sleep = undefined;
    const leftMs = device.awakeUntilMs - this.#runtime.clock.monotonicMs();
    if (!device.registration.queueMode) return;
    if (leftMs > 0) device.sleep = this.#runtime.timers.after(leftMs, () => this.#onAwakeTimeOver(device));
    else this.#fallAsleep(device);
  }

  #fallAsleep(device: DeviceState): void {
    device.sleeping = true;
    this.#events.sleeping?.(device.registration);
  }
}

function withdrawn(): Error {
  return serverError('LWM2M_OPERATION_TIMEOUT', 'the caller withdrew the operation');
}
