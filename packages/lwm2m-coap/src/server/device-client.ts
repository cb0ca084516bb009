import type { CoapRequestInit, CoapResponse } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, encodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { ContentFormat, DecodeOptions, Lwm2mEntry, ModelRegistry } from '@sefleet/lwm2m';
import type { Clock } from '@sefleet/runtime';
import { toDiscoverResult, toReadResult, toResult } from './answers.ts';
import { compositeFormat, readFormat, treeFormat } from './content-choice.ts';
import type {
  CreateResult,
  DiscoverResult,
  NotificationAttributes,
  OperationOptions,
  OperationResult,
  ReadResult,
  WriteOptions,
} from './device-operations.ts';
import type { DeviceModels } from './device-models.ts';
import type { DeviceState } from './device-state.ts';
import { serverError } from './errors.ts';
import type { Exchanges } from './exchanges.ts';
import type { RegisteredDevice } from './lwm2m-server.ts';
import type { EndDevice } from './end-devices.ts';
import type { Observations, ObservationTarget } from './observations.ts';
import type { Registration } from './registration.ts';
import { requestPath } from './request-path.ts';

/** What a {@link DeviceClient} works with. */
export interface DeviceClientParts {
  readonly exchanges: Exchanges;
  readonly observations: Observations;
  readonly models: DeviceModels;
  readonly clock: Clock;
}

/** Core operations on one registered device, as CoAP requests (Transport §6.4). */
export class DeviceClient implements RegisteredDevice {
  readonly #device: DeviceState;
  readonly #parts: DeviceClientParts;
  readonly #endDevice: EndDevice | undefined;

  /** @param endDevice behind the device, to which everything goes then */
  constructor(device: DeviceState, parts: DeviceClientParts, endDevice?: EndDevice) {
    this.#device = device;
    this.#parts = parts;
    this.#endDevice = endDevice;
  }

  get registration(): Registration {
    const { registration } = this.#device;
    if (this.#endDevice === undefined) return registration;
    const { id, announcement } = this.#endDevice;
    return { ...registration, endpoint: id, announcement, kind: '' };
  }

  get gateway(): string | undefined {
    return this.#endDevice === undefined ? undefined : this.#device.registration.endpoint;
  }

  get reachable(): boolean {
    return this.#device.reachable;
  }

  get sleeping(): boolean {
    return this.#device.sleeping;
  }

  observations(): readonly (readonly string[])[] {
    const wanted = [...(this.#device.wanted?.values() ?? [])];
    const own = wanted.filter(({ prefix }) => prefix === this.#endDevice?.prefix);
    return own.map(({ paths }) => paths.map((path) => path.toString()));
  }

  async read(path: Lwm2mPath, accept?: ContentFormat, options?: OperationOptions): Promise<ReadResult> {
    if (path.depth === 0) throw invalid('the root is read with Read-Composite');
    const format = accept ?? readFormat(this.#device.registration, path);
    const response = await this.#ask({ method: 'GET', path: this.#path(path), accept: format }, options);
    return toReadResult(response, path, this.#models(), this.#decoding());
  }

  async write(
    path: Lwm2mPath,
    entries: readonly Lwm2mEntry[],
    mode: 'replace' | 'update',
    options?: WriteOptions,
  ): Promise<OperationResult> {
    if (path.depth < 2) throw invalid('a Write names an instance or what lies below');
    // Core §6.3.3: the partial update is an operation on instances.
    const method = mode === 'replace' || path.depth === 4 ? 'PUT' : 'POST';
    const format = options?.contentFormat ?? treeFormat(this.#device.registration);
    return this.#put(method, path, format, entries, options);
  }

  async writeOpaque(
    path: Lwm2mPath,
    value: Uint8Array,
    options?: OperationOptions,
  ): Promise<OperationResult> {
    if (path.depth < 3) throw invalid('opaque content is written to a resource');
    return this.#put('PUT', path, CONTENT_FORMAT.OPAQUE, [{ path, value }], options);
  }

  async execute(path: Lwm2mPath, args = '', options?: OperationOptions): Promise<OperationResult> {
    if (path.depth !== 3) throw invalid('an Execute names a resource');
    const init: CoapRequestInit = { method: 'POST', path: this.#path(path) };
    // Core §6.3.5: arguments are plain text.
    const body = args === '' ? {} : { payload: args, contentFormat: CONTENT_FORMAT.TEXT };
    return toResult(await this.#ask({ ...init, ...body }, options));
  }

  async create(
    path: Lwm2mPath,
    entries: readonly Lwm2mEntry[],
    options?: WriteOptions,
  ): Promise<CreateResult> {
    const { objectId, instanceId } = path;
    if (objectId === undefined || path.depth > 2) throw invalid('a Create names an object or an instance');
    const object = new Lwm2mPath(objectId);
    // Only TLV can leave the choice of the instance id to the device (Core §6.3.6).
    const own = instanceId === undefined ? CONTENT_FORMAT.TLV : treeFormat(this.#device.registration);
    const format = options?.contentFormat ?? own;
    if (instanceId === undefined && format !== CONTENT_FORMAT.TLV)
      throw invalid('only TLV leaves the choice of the instance to the device');
    const base = instanceId === undefined ? object.child(0) : object;
    const payload = this.#encode(format, base, entries);
    const init = { method: 'POST', path: this.#path(object), payload, contentFormat: format } as const;
    const response = await this.#ask(init, options);
    return { ...toResult(response), location: response.locationPath };
  }

  async delete(path: Lwm2mPath, options?: OperationOptions): Promise<OperationResult> {
    if (path.depth !== 2 && path.depth !== 4) throw invalid('a Delete names an instance');
    return toResult(await this.#ask({ method: 'DELETE', path: this.#path(path) }, options));
  }

  async discover(path: Lwm2mPath, options?: OperationOptions): Promise<DiscoverResult> {
    if (path.depth === 0 || path.depth === 4)
      throw invalid('a Discover names an object, instance or resource');
    const init = { method: 'GET', path: this.#path(path), accept: CONTENT_FORMAT.LINK } as const;
    return toDiscoverResult(await this.#ask(init, options));
  }

  async writeAttributes(
    path: Lwm2mPath,
    attributes: NotificationAttributes,
    options?: OperationOptions,
  ): Promise<OperationResult> {
    const query = Object.entries(attributes).map(([name, value]) =>
      value === null ? name : `${name}=${value}`,
    );
    if (query.length === 0 || path.depth === 0)
      throw invalid('a Write-Attributes names a node and attributes');
    return toResult(await this.#ask({ method: 'PUT', path: this.#path(path), query }, options));
  }

  async readComposite(paths: readonly Lwm2mPath[], options?: OperationOptions): Promise<ReadResult> {
    const format = compositeFormat(this.#device.registration, false);
    const entries = this.#named(paths.map((path) => ({ path, value: null })));
    const payload = encodeContent(format, Lwm2mPath.ROOT, entries, this.#models());
    const path = this.#root();
    const init = { method: 'FETCH', path, payload, contentFormat: format, accept: format } as const;
    const response = await this.#ask(init, options);
    return toReadResult(response, Lwm2mPath.ROOT, this.#models(), this.#decoding());
  }

  async writeComposite(entries: readonly Lwm2mEntry[], options?: WriteOptions): Promise<OperationResult> {
    const removals = entries.some(({ value }) => value === null);
    const format = options?.contentFormat ?? compositeFormat(this.#device.registration, removals);
    return this.#put('iPATCH', Lwm2mPath.ROOT, format, entries, options);
  }

  observe(paths: readonly Lwm2mPath[], options?: OperationOptions): Promise<ReadResult> {
    return this.#parts.observations.observe(this.#device, this.#target(paths), options);
  }

  cancelObservation(paths: readonly Lwm2mPath[]): Promise<boolean> {
    return this.#parts.observations.cancel(this.#device, this.#target(paths));
  }

  async #put(
    method: 'PUT' | 'POST' | 'iPATCH',
    base: Lwm2mPath,
    format: ContentFormat,
    entries: readonly Lwm2mEntry[],
    options: OperationOptions | undefined,
  ): Promise<OperationResult> {
    const payload = this.#encode(format, base, entries);
    const path = base.depth === 0 ? this.#root() : this.#path(base);
    const init = { method, path, payload, contentFormat: format };
    return toResult(await this.#ask(init, options));
  }

  /** A caller may choose a format that cannot say what is to be said. */
  #encode(format: ContentFormat, base: Lwm2mPath, entries: readonly Lwm2mEntry[]): Uint8Array {
    try {
      return encodeContent(format, base, this.#named(entries), this.#models());
    } catch (error) {
      if (!isSefleetError(error)) throw error;
      throw serverError('LWM2M_OPERATION_INVALID', `content format ${format}: ${error.message}`, {
        cause: error,
      });
    }
  }

  #ask(init: CoapRequestInit, options: OperationOptions | undefined): Promise<CoapResponse> {
    return this.#parts.exchanges.request(this.#device, init, options);
  }

  #path(path: Lwm2mPath): readonly string[] {
    return requestPath(this.#device.registration, path, this.#endDevice?.prefix);
  }

  #target(paths: readonly Lwm2mPath[]): ObservationTarget {
    return { paths, prefix: this.#endDevice?.prefix };
  }

  #models(): ModelRegistry {
    return this.#parts.models.of((this.#endDevice ?? this.#device.registration).announcement);
  }

  /** Composite operations go to the gateway, whose payloads tell end devices apart (Gateway 1.1 §6). */
  #root(): readonly string[] {
    return requestPath(this.#device.registration, Lwm2mPath.ROOT, undefined);
  }

  #named(entries: readonly Lwm2mEntry[]): readonly Lwm2mEntry[] {
    const prefix = this.#endDevice?.prefix;
    return prefix === undefined ? entries : entries.map((entry) => ({ ...entry, prefix }));
  }

  #decoding(): DecodeOptions {
    return { nowSeconds: this.#parts.clock.wallMs() / 1000, prefix: this.#endDevice?.prefix };
  }
}

function invalid(message: string): Error {
  return serverError('LWM2M_OPERATION_INVALID', message);
}
