import type { ObjectBehaviour, ObjectDefinition, ObjectInstance } from '../device/object-tree.ts';
import { lwm2mError } from '../errors.ts';
import type { ModelRegistry } from '../model/model-registry.ts';
import type { ResourceValue } from '../model/value.ts';
import { OBJECT_ID } from '../accounts/accounts.ts';
import { defineObject } from './enabler-objects.ts';
import { FIRMWARE_RESULT, FIRMWARE_STATE, firmwareStep } from './firmware-machine.ts';
import type { FirmwareInput, FirmwareResult, FirmwareState } from './firmware-machine.ts';

/** Resources of Firmware Update, object 5 (Core appendix E.6). */
export const FIRMWARE_RESOURCE = {
  PACKAGE: 0,
  PACKAGE_URI: 1,
  UPDATE: 2,
  STATE: 3,
  RESULT: 5,
  PACKAGE_NAME: 6,
  PACKAGE_VERSION: 7,
  PROTOCOLS: 8,
  DELIVERY_METHOD: 9,
  CANCEL: 10,
} as const;

/** What the secure element says of a package. */
export type FirmwareVerdict =
  | { readonly accepted: true; readonly name?: string; readonly version?: string }
  | { readonly accepted: false; readonly result: FirmwareResult };

/** How a kind of device gets, checks and applies firmware; one object serves the fleet. */
export interface FirmwareHooks<Owner> {
  /**
   * URI schemes for pull, by the numbers of resource 8: 0 coap, 1 coaps, 2 http, 3 https, 4 coap+tcp, 5
   * coaps+tcp.
   */
  readonly protocols: readonly number[];
  readonly packageBytesMax: number;
  /** Gets the package from a URI, for pull. Rejects when it cannot be had. */
  download?(owner: Owner, uri: string, signal: AbortSignal): Promise<Uint8Array>;
  /** Checks signature and version, and keeps the package for {@link FirmwareHooks.apply} when it is good. */
  verify(owner: Owner, image: Uint8Array): FirmwareVerdict | Promise<FirmwareVerdict>;
  /**
   * Installs the package that was kept; resolves true when the new firmware runs. A reboot may lie in
   * between.
   */
  apply(owner: Owner): Promise<boolean>;
  /** Drops the package that was kept. */
  discard?(owner: Owner): void;
}

const SCHEMES: readonly string[] = ['coap', 'coaps', 'http', 'https', 'coap+tcp', 'coaps+tcp'];

/**
 * Firmware Update, object 5: push (Package) and pull (Package URI), verified before it may be applied.
 *
 * @example tree.require(5).add(0, firmwareDefaults(hooks));
 */
export function firmwareUpdateObject<Owner>(
  models: ModelRegistry,
  hooks: FirmwareHooks<Owner>,
): ObjectDefinition<Owner> {
  return defineObject<Owner>(models, OBJECT_ID.FIRMWARE, {
    supports: [FIRMWARE_RESOURCE.PACKAGE, FIRMWARE_RESOURCE.UPDATE, FIRMWARE_RESOURCE.CANCEL],
    behaviour: new FirmwareBehaviour(hooks),
  });
}

/** The values of object 5's instance 0 on a device that has done nothing yet. */
export function firmwareDefaults(hooks: FirmwareHooks<never>): readonly (readonly [number, ResourceValue])[] {
  const pulls = hooks.download !== undefined;
  return [
    [FIRMWARE_RESOURCE.PACKAGE_URI, ''],
    [FIRMWARE_RESOURCE.STATE, FIRMWARE_STATE.IDLE],
    [FIRMWARE_RESOURCE.RESULT, FIRMWARE_RESULT.INITIAL],
    [FIRMWARE_RESOURCE.PROTOCOLS, new Map(hooks.protocols.map((protocol, index) => [index, protocol]))],
    // 1 push only, 2 both ways.
    [FIRMWARE_RESOURCE.DELIVERY_METHOD, pulls ? 2 : 1],
  ];
}

/**
 * To be called when a device starts again after its power was cut: a download that was under way is lost, and
 * of an update `applied` tells whether the new firmware runs.
 */
export function recoverFirmware(instance: ObjectInstance, applied: boolean): void {
  const state = stateOf(instance);
  if (state === FIRMWARE_STATE.DOWNLOADING) step(instance, 'rejected', FIRMWARE_RESULT.CONNECTION_LOST);
  if (state === FIRMWARE_STATE.UPDATING) step(instance, applied ? 'applied' : 'apply-failed');
}

class FirmwareBehaviour<Owner> implements ObjectBehaviour<Owner> {
  readonly #hooks: FirmwareHooks<Owner>;
  readonly #downloads = new WeakMap<object, AbortController>();

  constructor(hooks: FirmwareHooks<Owner>) {
    this.#hooks = hooks;
  }

  write(
    instance: ObjectInstance<Owner>,
    resourceId: number,
    value: ResourceValue,
  ): 'handled' | 'store' | Promise<void> {
    if (resourceId === FIRMWARE_RESOURCE.PACKAGE && value instanceof Uint8Array) {
      return this.#push(instance, value);
    }
    if (resourceId !== FIRMWARE_RESOURCE.PACKAGE_URI || typeof value !== 'string') return 'store';
    if (value === '') {
      this.#reset(instance, 'reset');
      return 'store';
    }
    this.#pull(instance, value);
    return 'store';
  }

  execute(instance: ObjectInstance<Owner>, resourceId: number): void {
    if (resourceId === FIRMWARE_RESOURCE.CANCEL) {
      this.#reset(instance, 'cancel');
      return;
    }
    require(instance, 'update');
    step(instance, 'update');
    void this.#apply(instance);
  }

  /** One zero byte, or nothing, takes back what was sent (Core appendix E.6). */
  #push(instance: ObjectInstance<Owner>, image: Uint8Array): 'handled' | Promise<void> {
    if (image.length === 0 || (image.length === 1 && image[0] === 0)) {
      this.#reset(instance, 'reset');
      return 'handled';
    }
    require(instance, 'begin');
    step(instance, 'begin');
    return this.#verify(instance, image);
  }

  #pull(instance: ObjectInstance<Owner>, uri: string): void {
    require(instance, 'begin');
    const pulls = this.#hooks.download !== undefined;
    const scheme = SCHEMES.indexOf(/^([a-z+]+):\/\/[^/]+/i.exec(uri)?.[1]?.toLowerCase() ?? '');
    step(instance, 'begin');
    if (scheme < 0) step(instance, 'rejected', FIRMWARE_RESULT.INVALID_URI);
    else if (!pulls || !this.#hooks.protocols.includes(scheme)) {
      step(instance, 'rejected', FIRMWARE_RESULT.UNSUPPORTED_PROTOCOL);
    } else void this.#download(instance, uri);
  }

  async #download(instance: ObjectInstance<Owner>, uri: string): Promise<void> {
    const abort = new AbortController();
    this.#downloads.set(instance, abort);
    try {
      const image = await this.#hooks.download?.(instance.owner, uri, abort.signal);
      if (image !== undefined && !abort.signal.aborted) await this.#verify(instance, image);
    } catch {
      if (!abort.signal.aborted) step(instance, 'rejected', FIRMWARE_RESULT.CONNECTION_LOST);
    }
    this.#downloads.delete(instance);
  }

  async #verify(instance: ObjectInstance<Owner>, image: Uint8Array): Promise<void> {
    if (image.length > this.#hooks.packageBytesMax) {
      step(instance, 'rejected', FIRMWARE_RESULT.NOT_ENOUGH_FLASH);
      throw lwm2mError('LWM2M_ENTITY_TOO_LARGE', 'the package does not fit the device');
    }
    const verdict = await this.#hooks.verify(instance.owner, image);
    // Cancelled while the secure element was at work.
    if (stateOf(instance) !== FIRMWARE_STATE.DOWNLOADING) return;
    if (!verdict.accepted) {
      step(instance, 'rejected', verdict.result);
      return;
    }
    if (verdict.name !== undefined) instance.set(FIRMWARE_RESOURCE.PACKAGE_NAME, verdict.name);
    if (verdict.version !== undefined) instance.set(FIRMWARE_RESOURCE.PACKAGE_VERSION, verdict.version);
    step(instance, 'accepted');
  }

  async #apply(instance: ObjectInstance<Owner>): Promise<void> {
    let applied = false;
    try {
      applied = await this.#hooks.apply(instance.owner);
    } catch {
      // Told by the result: the server cannot be told more.
    }
    // A power cut in between has already settled it.
    if (stateOf(instance) === FIRMWARE_STATE.UPDATING) step(instance, applied ? 'applied' : 'apply-failed');
  }

  #reset(instance: ObjectInstance<Owner>, input: 'reset' | 'cancel'): void {
    require(instance, input);
    this.#downloads.get(instance)?.abort();
    this.#hooks.discard?.(instance.owner);
    instance.unset(FIRMWARE_RESOURCE.PACKAGE_NAME);
    instance.unset(FIRMWARE_RESOURCE.PACKAGE_VERSION);
    step(instance, input);
  }
}

function stateOf(instance: ObjectInstance): FirmwareState {
  const state = instance.get(FIRMWARE_RESOURCE.STATE);
  return Object.values(FIRMWARE_STATE).find((known) => known === state) ?? FIRMWARE_STATE.IDLE;
}

function require(instance: ObjectInstance, input: FirmwareInput): void {
  if (firmwareStep(stateOf(instance), input) === undefined) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `not in state ${stateOf(instance)}`);
  }
}

function step(instance: ObjectInstance, input: FirmwareInput, result?: FirmwareResult): void {
  const next = firmwareStep(stateOf(instance), input);
  if (next === undefined) return;
  const outcome = next.result ?? result;
  if (outcome !== undefined) instance.set(FIRMWARE_RESOURCE.RESULT, outcome);
  instance.set(FIRMWARE_RESOURCE.STATE, next.state);
}
