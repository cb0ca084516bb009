import {
  CODE,
  type CoapEndpoint,
  type CoapReply,
  type CoapRequest,
  type RequestHandler,
} from '@sefleet/coap';
import { CONTENT_FORMAT, encodeContent, isContentFormat, Lwm2mPath } from '@sefleet/lwm2m';
import type { ContentFormat } from '@sefleet/lwm2m';
import type { Peer } from '@sefleet/runtime';
import type {
  BootstrapConfiguration,
  BootstrapServer,
  BootstrapServerEvents,
  BootstrapServerOptions,
} from './bootstrap.ts';
import { runBootstrap } from './bootstrap-run.ts';
import type { BootstrapRun } from './bootstrap-run.ts';
import type { AuthorisedDevice } from './settings.ts';
import { wellKnown } from './well-known.ts';

/**
 * Makes a bootstrap server: a device asks with `POST /bs`, is answered, and then receives deletes, writes
 * and Finish (Core §6.1.7). `GET /bspack` hands the same configuration out in one answer (Core 1.2 §6.1.7.7).
 */
export function createBootstrapServer(options: BootstrapServerOptions): BootstrapServer {
  return new ConfigurationServer(options);
}

const WELL_KNOWN = '</bs>;rt="oma.lwm2m.bs",</bspack>;ct="110 112 11544"';
/** Each session is a handful of exchanges; this many at once keep two cores busy. */
const SESSIONS_MAX = 4096;
/** CoAP's MAX_TRANSMIT_WAIT for each of a few steps would be minutes; a fleet wants its place back sooner. */
const SESSION_TIMEOUT_MS = 120_000;
const RETRY_AFTER_SECONDS = 5;
/** Formats of packs (Core 1.2 §6.1.7.7). */
const PACK_FORMATS: ReadonlySet<number> = new Set<ContentFormat>([
  CONTENT_FORMAT.SENML_CBOR,
  CONTENT_FORMAT.SENML_JSON,
  CONTENT_FORMAT.LWM2M_CBOR,
]);
/** Formats in which a device may prefer to be written to (`pct`, Core §6.1.7.1). */
const WRITE_FORMATS: ReadonlySet<number> = new Set<ContentFormat>([
  CONTENT_FORMAT.TLV,
  CONTENT_FORMAT.LWM2M_JSON,
  CONTENT_FORMAT.SENML_CBOR,
  CONTENT_FORMAT.SENML_JSON,
  CONTENT_FORMAT.LWM2M_CBOR,
]);

class ConfigurationServer implements BootstrapServer {
  readonly #options: BootstrapServerOptions;
  readonly #events: BootstrapServerEvents;
  readonly #endpoints: CoapEndpoint[] = [];
  readonly #counters = new Map<string, number>();
  /** By endpoint name: a device that asks again starts over. */
  readonly #runs = new Map<string, BootstrapRun>();

  constructor(options: BootstrapServerOptions) {
    this.#options = options;
    this.#events = options.events ?? {};
  }

  listen(connect: (handler: RequestHandler) => CoapEndpoint): CoapEndpoint {
    const coap: CoapEndpoint = connect((request) => this.#handle(coap, request));
    this.#endpoints.push(coap);
    return coap;
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }

  async close(): Promise<void> {
    for (const run of this.#runs.values()) run.abort.abort();
    await Promise.all(this.#endpoints.map((coap) => coap.close()));
  }

  #handle(coap: CoapEndpoint, request: CoapRequest): CoapReply | Promise<CoapReply> {
    const [first] = request.segments;
    if (first === '.well-known') return wellKnown(request, WELL_KNOWN);
    if (request.segments.length !== 1) return { code: CODE.NOT_FOUND };
    if (first === 'bs') {
      return request.method === 'POST' ? this.#onRequest(coap, request) : { code: CODE.METHOD_NOT_ALLOWED };
    }
    if (first === 'bspack') {
      return request.method === 'GET' ? this.#onPackRequest(request) : { code: CODE.METHOD_NOT_ALLOWED };
    }
    return { code: CODE.NOT_FOUND };
  }

  async #onRequest(coap: CoapEndpoint, request: CoapRequest): Promise<CoapReply> {
    const { peer } = request;
    const format = this.#formatOf(request);
    if (format === undefined) {
      return this.#refuse(request, CODE.UNSUPPORTED_CONTENT_FORMAT, 'format');
    }
    if (this.#runs.size >= (this.#options.maxSessions ?? SESSIONS_MAX)) {
      this.#refuse(request, CODE.SERVICE_UNAVAILABLE, 'full');
      return { code: CODE.SERVICE_UNAVAILABLE, maxAgeSeconds: RETRY_AFTER_SECONDS };
    }
    const found = await this.#configurationOf(request);
    if ('code' in found) return found;
    this.#begin(coap, peer, format, found);
    return { code: CODE.CHANGED };
  }

  async initiate(coap: CoapEndpoint, peer: Peer): Promise<boolean> {
    const device = await this.#options.authoriser.authorise(peer, undefined);
    const configuration = device === undefined ? undefined : await this.#options.configurationFor(device);
    if (device === undefined || configuration === undefined) return false;
    this.#begin(coap, peer, this.#defaultFormat, { device, configuration });
    return true;
  }

  #begin(
    coap: CoapEndpoint,
    peer: Peer,
    format: ContentFormat,
    { device, configuration }: { device: AuthorisedDevice; configuration: BootstrapConfiguration },
  ): void {
    this.#runs.get(device.endpoint)?.abort.abort();
    const { runtime, models } = this.#options;
    const startedMs = runtime.clock.monotonicMs();
    const run: BootstrapRun = { coap, peer, device, format, models, startedMs, abort: new AbortController() };
    this.#runs.set(device.endpoint, run);
    this.#count('bootstraps.requested');
    this.#events.requested?.(device);
    // In a later turn: the device gets its 2.04 before the first of the operations.
    runtime.timers.after(0, () => void this.#configure(run, configuration));
  }

  async #onPackRequest(request: CoapRequest): Promise<CoapReply> {
    const format = request.accept ?? CONTENT_FORMAT.SENML_CBOR;
    if (!isContentFormat(format) || !PACK_FORMATS.has(format)) {
      return this.#refuse(request, CODE.NOT_ACCEPTABLE, 'format');
    }
    const found = await this.#configurationOf(request);
    if ('code' in found) return found;
    const entries = found.configuration.writes.flatMap((write) => write.entries);
    const payload = encodeContent(format, Lwm2mPath.ROOT, entries, this.#options.models);
    this.#count('bootstraps.packed');
    this.#events.requested?.(found.device);
    this.#events.finished?.(found.device, 0);
    return { code: CODE.CONTENT, payload, contentFormat: format };
  }

  async #configurationOf(
    request: CoapRequest,
  ): Promise<
    { device: AuthorisedDevice; configuration: BootstrapConfiguration } | (CoapReply & { code: number })
  > {
    const claimed = request.queryValue('ep');
    const device = await this.#options.authoriser.authorise(request.peer, claimed);
    if (device === undefined || (claimed ?? device.endpoint) !== device.endpoint) {
      return this.#refuse(request, CODE.FORBIDDEN, 'notAuthorised');
    }
    const configuration = await this.#options.configurationFor(device);
    if (configuration === undefined) return this.#refuse(request, CODE.BAD_REQUEST, 'noConfiguration');
    return { device, configuration };
  }

  get #defaultFormat(): ContentFormat {
    return this.#options.writeFormat ?? CONTENT_FORMAT.TLV;
  }

  /** `pct` of the request when it has one (Core §6.1.7.1). */
  #formatOf(request: CoapRequest): ContentFormat | undefined {
    const preferred = request.queryValue('pct');
    if (preferred === undefined) return this.#defaultFormat;
    const format = Number(preferred);
    return isContentFormat(format) && WRITE_FORMATS.has(format) ? format : undefined;
  }

  async #configure(run: BootstrapRun, configuration: BootstrapConfiguration): Promise<void> {
    const { device, abort, startedMs } = run;
    const { timers, clock } = this.#options.runtime;
    const timer = timers.after(this.#options.sessionTimeoutMs ?? SESSION_TIMEOUT_MS, () => abort.abort());
    try {
      await runBootstrap(run, configuration, (findings) => this.#events.inspected?.(device, findings));
      this.#count('bootstraps.finished');
      this.#events.finished?.(device, clock.monotonicMs() - startedMs);
    } catch (error) {
      this.#count('bootstraps.failed');
      this.#events.failed?.(device, error);
    } finally {
      timer.cancel();
      if (this.#runs.get(device.endpoint) === run) this.#runs.delete(device.endpoint);
    }
  }

  #refuse(request: CoapRequest, code: number, reason: string): CoapReply {
    this.#count(`bootstraps.refused.${reason}`);
    this.#events.refused?.(request.peer, reason, request.queryValue('ep'));
    return { code };
  }

  #count(name: string): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + 1);
  }
}
