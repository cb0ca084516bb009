import { CODE, type CoapEndpoint, type CoapReply, type CoapRequest } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { CONTENT_FORMAT, decodeContent, Lwm2mPath } from '@sefleet/lwm2m';
import type { ContentFormat, Lwm2mEntry } from '@sefleet/lwm2m';
import type { Clock } from '@sefleet/runtime';
import type { DeviceModels } from './device-models.ts';
import type { DeviceState } from './device-state.ts';
import type { Registration } from './registration.ts';
import type { Lwm2mServerLimits, Refusal, ReportConsumer, SendVerdict } from './settings.ts';

/** What {@link SendInterface} works with. */
export interface SendParts {
  readonly models: DeviceModels;
  readonly clock: Clock;
  readonly consumer: ReportConsumer;
  readonly limits: Lwm2mServerLimits;
  /** The device that speaks on this peer, if it is registered. */
  deviceOf(
    coap: CoapEndpoint,
    request: CoapRequest,
  ): DeviceState | undefined | Promise<DeviceState | undefined>;
  readonly count: (name: string) => void;
  readonly refused: (refusal: Refusal) => void;
}

/** Formats of Send (Core §6.4.5, §7.4). */
const FORMATS: ReadonlySet<number> = new Set<ContentFormat>([
  CONTENT_FORMAT.SENML_CBOR,
  CONTENT_FORMAT.SENML_JSON,
  CONTENT_FORMAT.LWM2M_CBOR,
]);

/** Send (Core §6.4.5): `POST /dp`. */
export class SendInterface {
  readonly #parts: SendParts;

  constructor(parts: SendParts) {
    this.#parts = parts;
  }

  async handle(coap: CoapEndpoint, request: CoapRequest): Promise<CoapReply> {
    if (request.segments.length !== 1) return { code: CODE.NOT_FOUND };
    if (request.method !== 'POST') return { code: CODE.METHOD_NOT_ALLOWED };
    const device = await this.#parts.deviceOf(coap, request);
    // Core §6.4.5: only registered devices send; 4.04 tells one that was forgotten to register again.
    if (device === undefined) return this.#refuse(request, CODE.NOT_FOUND, 'notRegistered');
    const { contentFormat, payload } = request;
    if (contentFormat === undefined || !FORMATS.has(contentFormat)) {
      return this.#refuse(request, CODE.UNSUPPORTED_CONTENT_FORMAT, 'contentFormat', device);
    }
    if (payload.length > this.#parts.limits.maxSendBytes) {
      return this.#refuse(request, CODE.REQUEST_ENTITY_TOO_LARGE, 'tooLarge', device);
    }
    const entries = this.#decode(device, contentFormat, payload);
    // Nodes that are empty have no value; a Send of nothing else tells of nothing.
    if (entries === undefined || entries.every(({ value }) => value === null)) {
      return this.#refuse(request, CODE.BAD_REQUEST, 'malformed', device);
    }
    const verdict = await this.#consume(device.registration, entries);
    if (verdict.kind === 'refused') return this.#refuse(request, CODE.BAD_REQUEST, 'byConsumer', device);
    return this.#answer(verdict);
  }

  /** End devices first: a gateway that has to try again has not had its own part taken. */
  async #consume(registration: Registration, entries: readonly Lwm2mEntry[]): Promise<SendVerdict> {
    const { consumer } = this.#parts;
    const byPrefix = Map.groupBy(entries, ({ prefix }) => prefix);
    const own = byPrefix.get(undefined);
    byPrefix.delete(undefined);
    if (byPrefix.size > 0 && consumer.endDeviceSend === undefined) return { kind: 'refused' };
    for (const [prefix = '', group] of byPrefix) {
      const verdict = await consumer.endDeviceSend?.(registration, prefix, group.map(unprefixed));
      if (verdict !== undefined && verdict.kind !== 'accepted') return verdict;
    }
    return own === undefined ? { kind: 'accepted' } : consumer.send(registration, own);
  }

  #answer(verdict: Exclude<SendVerdict, { kind: 'refused' }>): CoapReply {
    switch (verdict.kind) {
      case 'accepted':
        this.#parts.count('sends.accepted');
        return { code: CODE.CHANGED };
      case 'busy':
        this.#parts.count('sends.busy');
        return { code: CODE.SERVICE_UNAVAILABLE, maxAgeSeconds: verdict.retryAfterSeconds };
    }
  }

  #decode(
    { registration }: DeviceState,
    contentFormat: number,
    payload: Uint8Array,
  ): readonly Lwm2mEntry[] | undefined {
    const nowSeconds = this.#parts.clock.wallMs() / 1000;
    try {
      // The set above holds nothing else.
      const format = contentFormat as ContentFormat;
      const models = this.#parts.models.of(registration.announcement);
      return decodeContent(format, Lwm2mPath.ROOT, payload, models, { nowSeconds });
    } catch (error) {
      if (isSefleetError(error)) return undefined;
      throw error;
    }
  }

  #refuse({ peer }: CoapRequest, code: number, reason: string, device?: DeviceState): CoapReply {
    this.#parts.refused({ what: 'send', reason, peer, endpoint: device?.registration.endpoint });
    return { code };
  }
}

function unprefixed({ path, value, timeSeconds }: Lwm2mEntry): Lwm2mEntry {
  return timeSeconds === undefined ? { path, value } : { path, value, timeSeconds };
}
