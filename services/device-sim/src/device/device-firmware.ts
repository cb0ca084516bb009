import { createHash } from 'node:crypto';
import { bytesEqual } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  decodeFirmwareImage,
  FIRMWARE_RESOURCE,
  FIRMWARE_RESULT,
  FIRMWARE_STATE,
  recoverFirmware,
  type FirmwareImage,
  type FirmwareResult,
  type FirmwareVerdict,
  type ObjectTree,
} from '@sefleet/lwm2m';
import type { Timer, Timers } from '@sefleet/runtime';
import type { DeviceKind } from '../device-kind.ts';
import type { StoredFirmware } from '../store/fleet-store.ts';

/** What a device's firmware works with. */
export interface FirmwarePorts {
  readonly kind: DeviceKind;
  readonly tree: ObjectTree;
  readonly timers: Timers;
  /** Asks the secure element whether the firmware authority signed `message`. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
  /** Gets a package from a URI. */
  download(uri: string, signal: AbortSignal): Promise<Uint8Array>;
  load(): StoredFirmware | undefined;
  /** On disk when it returns. */
  save(firmware: StoredFirmware): void;
  reboot(): void;
}

/** What a device runs that was never updated. */
export const FACTORY_FIRMWARE = { versionNumber: 1, version: '1.0.0' } as const;

/** Writing a package into the device's flash, in simulated time. */
const INSTALL_MS = 2000;
const DEVICE_OBJECT = 3;
const DEVICE_FIRMWARE_VERSION = 3;
const NONE = new Uint8Array(0);

/**
 * The firmware of one device: what it runs, and the package on its way. Every step is on disk before the
 * next, so that power may go at any moment: what runs changes in one write, after the package was written in
 * full.
 *
 * The image itself runs nowhere; of what it would do, only its version shows.
 */
export class DeviceFirmware {
  readonly #ports: FirmwarePorts;
  #timer: Timer | undefined;
  #powered = true;

  constructor(ports: FirmwarePorts) {
    this.#ports = ports;
  }

  /**
   * Brings object 5 to where the device came to before its power went: a download is lost, a package that was
   * there is there, an update that was not finished has failed and can be tried again.
   */
  restore(): void {
    const { tree } = this.#ports;
    const stored = this.#ports.load();
    const instance = tree.instance(OBJECT, 0);
    if (stored === undefined || instance === undefined) return;
    this.#show(stored.version);
    instance.set(FIRMWARE_RESOURCE.STATE, STATE_OF[stored.phase]);
    instance.set(FIRMWARE_RESOURCE.RESULT, stored.result);
    if (stored.package.length > 0) {
      const { manifest } = decodeFirmwareImage(stored.package);
      instance.set(FIRMWARE_RESOURCE.PACKAGE_NAME, manifest.kind);
      instance.set(FIRMWARE_RESOURCE.PACKAGE_VERSION, manifest.version);
    }
    recoverFirmware(instance, false);
    if (stored.phase === 'downloading') this.#settle(stored, 'idle', FIRMWARE_RESULT.CONNECTION_LOST);
    if (stored.phase === 'updating') this.#settle(stored, 'downloaded', FIRMWARE_RESULT.UPDATE_FAILED);
  }

  /** Gets a package, for a pull. */
  async download(uri: string, signal: AbortSignal): Promise<Uint8Array> {
    this.#settle(this.#stored(), 'downloading', FIRMWARE_RESULT.INITIAL);
    try {
      return await this.#ports.download(uri, signal);
    } catch (error) {
      if (!signal.aborted) this.#settle(this.#stored(), 'idle', FIRMWARE_RESULT.CONNECTION_LOST);
      throw error;
    }
  }

  /** Has a package checked by the secure element and keeps it when it is good. */
  receive(bytes: Uint8Array): FirmwareVerdict {
    const stored = this.#stored();
    const checked = this.#check(bytes, stored.versionNumber);
    if (typeof checked === 'number') {
      this.#settle(stored, 'idle', checked);
      return { accepted: false, result: checked };
    }
    this.#save({ ...stored, phase: 'downloaded', result: FIRMWARE_RESULT.INITIAL, package: bytes.slice() });
    const { kind, version } = checked.manifest;
    return { accepted: true, name: kind, version };
  }

  /** Installs the package that is kept and restarts into it; false when it is good no more. */
  async apply(): Promise<boolean> {
    const stored = this.#stored();
    const checked = this.#check(stored.package, stored.versionNumber);
    if (typeof checked === 'number') {
      this.#settle(stored, 'downloaded', FIRMWARE_RESULT.UPDATE_FAILED);
      return false;
    }
    this.#settle(stored, 'updating', FIRMWARE_RESULT.INITIAL);
    await new Promise<void>((resolve) => {
      this.#timer = this.#ports.timers.after(INSTALL_MS, resolve);
    });
    const { versionNumber, version } = checked.manifest;
    // The one write that decides which firmware runs.
    this.#save({ versionNumber, version, phase: 'idle', result: FIRMWARE_RESULT.SUCCESS, package: NONE });
    this.#show(version);
    this.#ports.reboot();
    return true;
  }

  /** Drops the package that is kept. */
  discard(): void {
    const stored = this.#stored();
    if (stored.phase !== 'idle') this.#settle(stored, 'idle', FIRMWARE_RESULT.INITIAL);
  }

  /** Stops in the middle of whatever it does, as a power cut does: nothing is written any more. */
  powerOff(): void {
    this.#powered = false;
    this.#timer?.cancel();
  }

  /** The image, or the result that refuses it. Nothing that is not signed decides on anything. */
  #check(bytes: Uint8Array, versionRunning: number): FirmwareImage | FirmwareResult {
    const image = decode(bytes);
    if (image === undefined) return FIRMWARE_RESULT.UNSUPPORTED_PACKAGE;
    const { manifest, signed, signature, payload } = image;
    const hash = createHash('sha256').update(payload).digest();
    const genuine = this.#ports.verify(signed, signature) && bytesEqual(hash, manifest.payloadHash);
    if (!genuine) return FIRMWARE_RESULT.INTEGRITY_CHECK_FAILED;
    if (manifest.kind !== this.#ports.kind) return FIRMWARE_RESULT.UNSUPPORTED_PACKAGE;
    // Older firmware would bring back what a newer one has mended.
    return manifest.versionNumber < versionRunning ? FIRMWARE_RESULT.UPDATE_FAILED : image;
  }

  #stored(): StoredFirmware {
    return (
      this.#ports.load() ?? {
        ...FACTORY_FIRMWARE,
        phase: 'idle',
        result: FIRMWARE_RESULT.INITIAL,
        package: NONE,
      }
    );
  }

  #settle(stored: StoredFirmware, phase: StoredFirmware['phase'], result: FirmwareResult): void {
    const keeps = phase === 'downloaded' || phase === 'updating';
    this.#save({ ...stored, phase, result, package: keeps ? stored.package : NONE });
  }

  #save(firmware: StoredFirmware): void {
    if (this.#powered) this.#ports.save(firmware);
  }

  #show(version: string): void {
    this.#ports.tree.instance(DEVICE_OBJECT, 0)?.set(DEVICE_FIRMWARE_VERSION, version);
  }
}

const OBJECT = 5;
const STATE_OF: Readonly<Record<StoredFirmware['phase'], number>> = {
  idle: FIRMWARE_STATE.IDLE,
  downloading: FIRMWARE_STATE.DOWNLOADING,
  downloaded: FIRMWARE_STATE.DOWNLOADED,
  updating: FIRMWARE_STATE.UPDATING,
};

function decode(bytes: Uint8Array): FirmwareImage | undefined {
  try {
    return decodeFirmwareImage(bytes);
  } catch (error) {
    if (isSefleetError(error, 'LWM2M_CONTENT_INVALID')) return undefined;
    throw error;
  }
}
