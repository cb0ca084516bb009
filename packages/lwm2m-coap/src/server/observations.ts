import type { CoapRequestInit, CoapResponse, NotificationListener } from '@sefleet/coap';
import { encodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { DecodeOptions, ModelRegistry } from '@sefleet/lwm2m';
import type { Clock } from '@sefleet/runtime';
import { decodeAnswer, toReadResult } from './answers.ts';
import { compositeFormat, readFormat } from './content-choice.ts';
import type { OperationOptions, ReadResult } from './device-operations.ts';
import type { DeviceModels } from './device-models.ts';
import type { DeviceState, WantedObservation } from './device-state.ts';
import { serverError } from './errors.ts';
import type { Exchanges } from './exchanges.ts';
import type { Presence } from './presence.ts';
import { requestPath } from './request-path.ts';
import type { Refusal, ReportConsumer } from './settings.ts';
import type { Lwm2mServerStore } from './store.ts';

/** What {@link Observations} works with. */
export interface ObservationParts {
  readonly exchanges: Exchanges;
  readonly presence: Presence;
  readonly models: DeviceModels;
  readonly clock: Clock;
  readonly consumer: ReportConsumer;
  readonly store: Lwm2mServerStore;
  readonly maxPerDevice: number;
  readonly count: (name: string) => void;
  readonly refused: (refusal: Refusal) => void;
}

/**
 * What is observed: one path, or several with Observe-Composite, of the device or of an end device behind it.
 */
export interface ObservationTarget {
  readonly paths: readonly Lwm2mPath[];
  readonly prefix: string | undefined;
}

/**
 * Observations as wishes: a wish outlives the device's registration and session, and is put to the device
 * again when it comes back (Core §6.4.1 ends observations with the registration).
 */
export class Observations {
  readonly #parts: ObservationParts;

  constructor(parts: ObservationParts) {
    this.#parts = parts;
  }

  /** Puts a wish back that the store kept, without asking the device yet. */
  restore(device: DeviceState, names: readonly string[]): void {
    const [prefix] = names.map(prefixOf);
    const texts = prefix === undefined ? names : names.map((name) => name.slice(prefix.length + 1));
    const paths = texts.map((text) => Lwm2mPath.tryParse(text)).filter((path) => path !== undefined);
    if (paths.length > 0) this.#want(device, { paths, prefix });
  }

  /** Starts an observation; its answer is the state now. A refusal of the device withdraws the wish. */
  async observe(
    device: DeviceState,
    target: ObservationTarget,
    options?: OperationOptions,
  ): Promise<ReadResult> {
    const { paths } = target;
    const [first] = paths;
    if (first === undefined) throw serverError('LWM2M_OPERATION_INVALID', 'an Observe names a path');
    const known = device.wanted?.has(keyOf(target)) === true;
    const wanted = this.#want(device, target);
    const { endpoint } = device.registration;
    const saved = this.#parts.store.saveObservation({ endpoint, paths: wanted.names });
    try {
      const [response] = await Promise.all([this.#start(device, wanted, options), saved]);
      if (!response.success) this.#drop(device, wanted);
      return toReadResult(response, baseOf(paths), this.#modelsOf(device), this.#decoding(target));
    } catch (error) {
      // A call that failed leaves no wish behind that was not there before, and nothing that is observed.
      if (!known) await this.cancel(device, target);
      throw error;
    }
  }

  /** Withdraws a wish; false when there was none. */
  async cancel(device: DeviceState, target: ObservationTarget): Promise<boolean> {
    const wanted = device.wanted?.get(keyOf(target));
    if (wanted === undefined) return false;
    const { running } = wanted;
    this.#drop(device, wanted);
    // Core §6.4.3: Observe = 1. A device that does not answer refuses the next notification's Reset.
    if (running?.active === true)
      await running.cancel(device.reachable ? 'deregister' : 'forget').catch(() => {});
    return true;
  }

  /** Puts every wish to a device that registered anew or came back on another session. */
  renew(device: DeviceState): void {
    for (const wanted of device.wanted?.values() ?? []) {
      void this.#start(device, wanted, { whenAway: 'wait' }).then(
        (response) => {
          if (!response.success) this.#parts.count('observations.notRenewed');
        },
        () => this.#parts.count('observations.notRenewed'),
      );
    }
  }

  /** The registration is over, and the wishes with it. */
  forget(device: DeviceState): void {
    for (const { running } of device.wanted?.values() ?? []) void running?.cancel('forget').catch(() => {});
    device.wanted = undefined;
  }

  async #start(
    device: DeviceState,
    wanted: WantedObservation,
    options: OperationOptions | undefined,
  ): Promise<CoapResponse> {
    void wanted.running?.cancel('forget').catch(() => {});
    wanted.running = undefined;
    const observation = await this.#parts.exchanges.observe(
      device,
      this.#request(device, wanted),
      this.#listener(device, wanted),
      options,
    );
    if (device.wanted?.get(keyOf(wanted)) !== wanted) {
      // Withdrawn meanwhile.
      await observation.cancel('forget').catch(() => {});
    } else if (observation.active) {
      wanted.running = observation;
      wanted.peerKey = device.connection?.peer.key;
    }
    return observation.first;
  }

  #request({ registration }: DeviceState, { paths, prefix }: ObservationTarget): CoapRequestInit {
    const [first = Lwm2mPath.ROOT] = paths;
    if (paths.length === 1) {
      const accept = readFormat(registration, first);
      return { method: 'GET', path: requestPath(registration, first, prefix), accept };
    }
    const format = compositeFormat(registration, false);
    const named = prefix === undefined ? {} : { prefix };
    const entries = paths.map((path) => ({ path, value: null, ...named }));
    const payload = encodeContent(format, Lwm2mPath.ROOT, entries, this.#parts.models.all);
    const path = requestPath(registration, Lwm2mPath.ROOT, undefined);
    return { method: 'FETCH', path, payload, contentFormat: format, accept: format };
  }

  #listener(device: DeviceState, wanted: WantedObservation): NotificationListener {
    return {
      notification: (response) => this.#onNotification(device, wanted, response),
      ended: (reason) => {
        wanted.running = undefined;
        // RFC 7641 §4.2: an error ends the observation; what was observed is not there any more.
        if (reason === 'error-response' && device.wanted?.get(keyOf(wanted)) === wanted) {
          this.#drop(device, wanted);
        }
      },
    };
  }

  #onNotification(
    device: DeviceState,
    wanted: WantedObservation,
    response: CoapResponse,
  ): void | Promise<void> {
    const { presence, consumer } = this.#parts;
    presence.heard(device);
    if (!response.success) return undefined;
    let entries: ReturnType<typeof decodeAnswer>;
    try {
      entries = decodeAnswer(response, baseOf(wanted.paths), this.#modelsOf(device), this.#decoding(wanted));
    } catch {
      const peer = device.connection?.peer;
      const { endpoint } = device.registration;
      this.#parts.refused({ what: 'notification', reason: 'malformed', peer, endpoint });
      return undefined;
    }
    this.#parts.count('notifications');
    return consumer.notification(device.registration, wanted.names, entries);
  }

  #want(device: DeviceState, target: ObservationTarget): WantedObservation {
    device.wanted ??= new Map();
    const key = keyOf(target);
    const known = device.wanted.get(key);
    if (known !== undefined) return known;
    if (device.wanted.size >= this.#parts.maxPerDevice) {
      throw serverError('LWM2M_OPERATION_QUEUE_FULL', 'too many observations of one device');
    }
    const { paths, prefix } = target;
    const names = paths.map((path) => nameOf(path, prefix));
    const wanted: WantedObservation = { paths, prefix, names, running: undefined, peerKey: undefined };
    device.wanted.set(key, wanted);
    return wanted;
  }

  #drop(device: DeviceState, wanted: WantedObservation): void {
    device.wanted?.delete(keyOf(wanted));
    this.#parts.store.removeObservation({ endpoint: device.registration.endpoint, paths: wanted.names });
  }

  #modelsOf({ registration }: DeviceState): ModelRegistry {
    return this.#parts.models.of(registration.announcement);
  }

  #decoding({ prefix }: ObservationTarget): DecodeOptions {
    return { nowSeconds: this.#parts.clock.wallMs() / 1000, prefix };
  }
}

function keyOf({ paths, prefix }: ObservationTarget): string {
  return paths.map((path) => nameOf(path, prefix)).join(' ');
}

function nameOf(path: Lwm2mPath, prefix: string | undefined): string {
  return prefix === undefined ? path.toString() : `/${prefix}${path.toString()}`;
}

/** The prefix of a name, which begins with no digit (Gateway 1.1 §6). */
function prefixOf(name: string): string | undefined {
  return /^\/([^/0-9][^/]*)/.exec(name)?.[1];
}

function baseOf(paths: readonly Lwm2mPath[]): Lwm2mPath {
  const [first = Lwm2mPath.ROOT] = paths;
  return paths.length === 1 ? first : Lwm2mPath.ROOT;
}
