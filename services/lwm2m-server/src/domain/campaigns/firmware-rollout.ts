import { isSefleetError } from '@sefleet/errors';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { OperationOptions, OperationResult, RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { Timers } from '@sefleet/runtime';
import { serviceError } from '../../errors.ts';
import type { FleetDirectory } from '../fleet-directory.ts';
import type { FirmwareImages } from './firmware-images.ts';

/** Resources of Firmware Update (Core appendix E.6). */
const PACKAGE = Lwm2mPath.parse('/5/0/0');
const PACKAGE_URI = Lwm2mPath.parse('/5/0/1');
const UPDATE = Lwm2mPath.parse('/5/0/2');
const STATE = Lwm2mPath.parse('/5/0/3');
const RESULT = Lwm2mPath.parse('/5/0/5');

const STATES = { IDLE: 0, DOWNLOADING: 1, DOWNLOADED: 2, UPDATING: 3 } as const;
const SUCCEEDED = 1;
/** Between two looks at the device. */
const POLL_MS = 1000;
/** A device that restarts into its new image is away for a while. */
const POLLS_MAX = 600;

/**
 * Brings an image to a device and has it applied: push or pull, then Update, then the result (Core
 * appendix E.6).
 */
export class FirmwareRollout {
  readonly #fleet: Pick<FleetDirectory, 'find'>;
  readonly #images: FirmwareImages;
  readonly #timers: Timers;
  readonly #publicUri: string;

  /** @param publicUri where devices reach the management server, for the URI of a pull */
  constructor(
    fleet: Pick<FleetDirectory, 'find'>,
    images: FirmwareImages,
    timers: Timers,
    publicUri: string,
  ) {
    this.#fleet = fleet;
    this.#images = images;
    this.#timers = timers;
    this.#publicUri = publicUri.replace(/\/+$/, '');
  }

  /** @throws SefleetError `LWM2M_FIRMWARE_FAILED` with the device's result, and what operations throw */
  async run(
    device: RegisteredDevice,
    { image, pull }: { readonly image: string; readonly pull: boolean },
    options: OperationOptions,
  ): Promise<OperationResult> {
    const bytes = Buffer.from(image, 'base64');
    const delivered = pull
      ? await device.write(
          PACKAGE_URI,
          [{ path: PACKAGE_URI, value: this.#uriOf(bytes) }],
          'replace',
          options,
        )
      : await device.writeOpaque(PACKAGE, bytes, options);
    if (!delivered.success) return delivered;
    const { endpoint } = device.registration;
    await this.#until(endpoint, (state) => state === STATES.DOWNLOADED, options);
    const executed = await device.execute(UPDATE, '', options);
    if (!executed.success) return executed;
    await this.#until(endpoint, (state) => state === STATES.IDLE, options);
    const result = await this.#value(endpoint, RESULT, options);
    if (result !== SUCCEEDED) throw failed(endpoint, `result ${result ?? 'unknown'}`);
    return executed;
  }

  #uriOf(image: Uint8Array): string {
    return this.#publicUri + this.#images.offer(image);
  }

  /**
   * Looks at the state until it is the wanted one; idle while a download is expected means that it failed.
   */
  async #until(
    endpoint: string,
    wanted: (state: number) => boolean,
    options: OperationOptions,
  ): Promise<void> {
    for (let poll = 0; poll < POLLS_MAX; poll++) {
      const state = await this.#value(endpoint, STATE, options);
      if (state !== undefined && wanted(state)) return;
      if (state === STATES.IDLE || state === STATES.DOWNLOADED) {
        const result = await this.#value(endpoint, RESULT, options);
        throw failed(endpoint, `state ${state}, result ${result ?? 'unknown'}`);
      }
      await this.#pause(POLL_MS);
    }
    throw serviceError('LWM2M_FIRMWARE_FAILED', `${endpoint} did not come to an end`);
  }

  /** The number at a resource; undefined while the device is away. */
  async #value(endpoint: string, path: Lwm2mPath, options: OperationOptions): Promise<number | undefined> {
    const device = this.#fleet.find(endpoint);
    if (device === undefined) return undefined;
    try {
      const { entries } = await device.read(path, undefined, options);
      const [first] = entries;
      return typeof first?.value === 'number' ? first.value : undefined;
    } catch (error) {
      if (isSefleetError(error) && error.fault === 'environment') return undefined;
      throw error;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.after(ms, resolve);
    });
  }
}

function failed(endpoint: string, reason: string): Error {
  return serviceError('LWM2M_FIRMWARE_FAILED', `${endpoint} did not take the image: ${reason}`, {
    context: { endpoint, reason },
  });
}
