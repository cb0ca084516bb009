import { isSefleetError } from '@sefleet/errors';
import type { EventLog } from '@sefleet/observability';
import type { Runtime } from '@sefleet/runtime';
import type { CardLinks } from '../card-link/card-link.ts';
import type { KeyCustody } from '../custody/key-custody.ts';
import type { DeviceRotation, Rotation } from '../domain/rotation.ts';
import { provisioningError } from '../errors.ts';
import { PROVISIONING_EVENTS } from '../events.ts';
import type { Device, ProvisioningStore } from '../store/provisioning-store.ts';
import { mayBeTriedAgain, rotateDomain } from './rotate-domain.ts';

/** What rotations are run with. */
export interface RotationRunnerPorts {
  readonly store: ProvisioningStore;
  readonly custody: KeyCustody;
  readonly links: CardLinks;
  readonly runtime: Runtime;
  readonly log: EventLog;
}

const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;
/** Until a store that failed is asked again. */
const STORE_PAUSE_MS = 1000;

/** Runs rotations in the background, some devices at a time, each to its end or to the end of its tries. */
export class RotationRunner {
  readonly #ports: RotationRunnerPorts;
  readonly #busy = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #stopping = false;

  constructor(ports: RotationRunnerPorts) {
    this.#ports = ports;
  }

  /** Devices that a rotation works on or waits for now. */
  isBusy(endpoint: string): boolean {
    return this.#busy.has(endpoint);
  }

  /** Starts working through what the journal has of `rotation`. */
  start(rotation: Rotation, devices: readonly DeviceRotation[]): void {
    for (const { endpoint } of devices) this.#busy.add(endpoint);
    const work = this.#run(rotation, devices).finally(() => this.#running.delete(work));
    this.#running.add(work);
  }

  /** Takes up again what a former process left unfinished. */
  async resume(): Promise<void> {
    for (const rotation of await this.#ports.store.unfinishedRotations()) {
      const devices = await this.#ports.store.unfinishedDevices(rotation.rotationId);
      this.#ports.log.emit(PROVISIONING_EVENTS.rotationResumed, {
        rotationId: rotation.rotationId,
        devices: devices.length,
      });
      this.start(rotation, devices);
    }
  }

  /** Lets devices in work come to an end, starts no others. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled(this.#running);
  }

  async #run(rotation: Rotation, devices: readonly DeviceRotation[]): Promise<void> {
    const { store, log } = this.#ports;
    const known = await this.#insist(() => store.devices(devices.map(({ endpoint }) => endpoint)));
    if (known === undefined) return;
    const queue = devices.values();
    const worker = async (): Promise<void> => {
      for (const device of queue) {
        if (this.#stopping) return;
        await this.#one(device, known.get(device.endpoint));
        this.#busy.delete(device.endpoint);
      }
    };
    await Promise.all(Array.from({ length: Math.min(rotation.concurrency, devices.length) }, worker));
    const progress = await this.#insist(() => store.rotation(rotation.rotationId));
    if (progress?.done === true) {
      const { rotationId, confirmed, oldKeyRefused, failed } = progress;
      log.emit(PROVISIONING_EVENTS.rotationDone, { rotationId, confirmed, oldKeyRefused, failed });
    }
  }

  async #one(planned: DeviceRotation, device: Device | undefined): Promise<void> {
    const { store, runtime, log } = this.#ports;
    const { clock } = runtime;
    const startedAt = clock.monotonicMs();
    const ended = (): { finishedAt: number; durationMs: number } => ({
      finishedAt: clock.wallMs(),
      durationMs: clock.monotonicMs() - startedAt,
    });
    let rotation = planned;
    try {
      if (device === undefined) throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', planned.endpoint);
      for (let attempt = 1; ; attempt++) {
        try {
          await this.#attempt(rotation, device, (next) => (rotation = next));
          break;
        } catch (error) {
          if (attempt === ATTEMPTS || !mayBeTriedAgain(error)) throw error;
          await this.#pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
        }
      }
    } catch (error) {
      const known = isSefleetError(error);
      const failure = {
        code: known ? error.code : 'INTERNAL',
        message: known ? error.message : 'a fault of ours',
      };
      log.emit(PROVISIONING_EVENTS.rotationFailed, {
        endpoint: planned.endpoint,
        ...failure,
        ...(known ? {} : { error }),
      });
      const outcome = { ...ended(), oldKeyRefused: false, failure };
      await this.#insist(() => store.finishRotation(rotation, 'failed', outcome));
      return;
    }
    const outcome = { ...ended(), oldKeyRefused: true };
    await this.#insist(() => store.finishRotation(rotation, 'confirmed', outcome));
  }

  /**
   * Asks the store until it answers: without it a rotation can neither go on nor fail. Undefined when the
   * service stops meanwhile; its next run takes the rotation up again.
   */
  async #insist<T>(ask: () => Promise<T>): Promise<T | undefined> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        this.#ports.log.emit(PROVISIONING_EVENTS.rotationStoreFailed, { error });
        if (this.#stopping) return undefined;
        await this.#pause(STORE_PAUSE_MS);
      }
    }
  }

  async #attempt(
    rotation: DeviceRotation,
    device: Device,
    moved: (rotation: DeviceRotation) => void,
  ): Promise<void> {
    const { store, custody, links, runtime } = this.#ports;
    const channel = links.open(device.endpoint);
    try {
      await rotateDomain(rotation, {
        channel,
        vault: custody.vault(rotation.party),
        rng: runtime.rng,
        diversification: device.diversification,
        journal: async (step) => {
          // What is not written down is not done.
          const isWritten = await this.#insist(() => store.moveRotation(rotation, step).then(() => true));
          if (isWritten !== true)
            throw provisioningError('PROVISIONING_STORE_UNAVAILABLE', 'the journal cannot be written');
          moved({ ...rotation, step });
        },
      });
    } finally {
      channel.close();
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#ports.runtime.timers.after(delayMs, resolve));
  }
}
