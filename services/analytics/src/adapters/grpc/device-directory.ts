import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { fleet, type management } from '@sefleet/api';
import { metricNamed } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import { kindOfWord, wordOfKind } from '../../domain/device-kinds.ts';
import type { ReadingRow, TelemetryState } from '../../domain/telemetry.ts';
import { analyticsError } from '../../errors.ts';
import type { Dependencies } from './dependencies.ts';

type SummaryInit = MessageInitShape<typeof fleet.DeviceSummarySchema>;
type ListInit = MessageInitShape<typeof fleet.ListDevicesResponseSchema>;
type DeviceInit = MessageInitShape<typeof fleet.GetDeviceResponseSchema>;

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;
/** Pages of registrations looked through for one page of devices in one state. */
const MAX_SCANNED_PAGES = 100;
/**
 * A page token says where it goes on: in the LwM2M server's registrations, or in telemetry while that is
 * down.
 */
const REGISTRATIONS = 'r:';
const TELEMETRY = 't:';

/** Devices: as registered, with what telemetry and provisioning know of them. */
export class DeviceDirectory {
  readonly #dependencies: Dependencies;
  readonly #telemetry: TelemetryState;

  constructor(dependencies: Dependencies, telemetry: TelemetryState) {
    this.#dependencies = dependencies;
    this.#telemetry = telemetry;
  }

  /**
   * Registered devices in the order of their names. While the LwM2M server is down: the devices that have
   * sent readings, in an unspecified state.
   */
  async list(request: fleet.ListDevicesRequest): Promise<ListInit> {
    const pageSize = request.pageSize === 0 ? DEFAULT_PAGE_SIZE : request.pageSize;
    if (pageSize > MAX_PAGE_SIZE) {
      throw analyticsError(
        'ANALYTICS_REQUEST_INVALID',
        `page_size is 1 to ${MAX_PAGE_SIZE}, not ${pageSize}`,
      );
    }
    if (request.pageToken.startsWith(TELEMETRY)) return this.#listFromTelemetry(request, pageSize);
    if (request.pageToken !== '' && !request.pageToken.startsWith(REGISTRATIONS)) {
      throw unknownToken();
    }
    try {
      const page = await this.#listRegistered(request, pageSize);
      return { ...page, devices: await this.#withLastReadings(page.devices) };
    } catch (error) {
      if (!isSefleetError(error) || error.fault !== 'environment') throw error;
      return this.#listFromTelemetry({ ...request, pageToken: '' }, pageSize);
    }
  }

  /** @throws SefleetError `ANALYTICS_DEVICE_NOT_FOUND` when no service that answers knows it. */
  async get(endpoint: string): Promise<DeviceInit> {
    const { lwm2m, rotation } = this.#dependencies;
    const [registered, domains, readings] = await Promise.all([
      lwm2m.ask((client, options) => client.getRegistration({ endpoint }, options)).catch(nothing),
      rotation.ask((client, options) => client.listSecurityDomains({ endpoint }, options)).catch(nothing),
      this.#telemetry
        .queries()
        .then((queries) => queries.lastReadings(endpoint))
        .catch(nothing),
    ]);
    const registration = registered?.registration;
    const securityDomains = domains?.securityDomains ?? [];
    if (registration === undefined && securityDomains.length === 0 && (readings ?? []).length === 0) {
      throw analyticsError(
        'ANALYTICS_DEVICE_NOT_FOUND',
        `no service that answers knows the device ${endpoint}`,
        {
          hint: 'List the devices; while a service is down its devices may be missing.',
        },
      );
    }
    const lastReadings = (readings ?? []).map(toReadingInit);
    const lastAtMs = Math.max(0, ...(readings ?? []).map(({ atMs }) => atMs));
    return {
      device: {
        ...(registration === undefined
          ? { endpoint, state: securityDomains.length > 0 ? fleet.DeviceState.MANUFACTURED : 0 }
          : summaryOf(registration)),
        ...(lastAtMs > 0 ? { lastReadingAt: timestampFromMs(lastAtMs) } : {}),
      },
      objects: registration?.objects ?? [],
      securityDomains,
      lastReadings,
    };
  }

  async #listRegistered(request: fleet.ListDevicesRequest, pageSize: number): Promise<Required<Page>> {
    const token = request.pageToken.slice(REGISTRATIONS.length);
    if (request.state === fleet.DeviceState.UNSPECIFIED) {
      const page = await this.#registrations(request, pageSize, token);
      return {
        devices: page.registrations.map(summaryOf),
        nextPageToken: next(page.nextPageToken),
        total: page.total,
      };
    }
    // The LwM2M server does not filter by state: look through its pages, and count.
    const devices: SummaryInit[] = [];
    if (!/^\d{0,9}$/.test(token)) throw unknownToken();
    const skip = Number(token);
    let total = 0;
    let pageToken = '';
    for (let pages = 0; pages < MAX_SCANNED_PAGES; pages++) {
      const page = await this.#registrations(request, MAX_PAGE_SIZE, pageToken);
      for (const summary of page.registrations.map(summaryOf)) {
        if (summary.state !== request.state) continue;
        if (total >= skip && devices.length < pageSize) devices.push(summary);
        total++;
      }
      pageToken = page.nextPageToken;
      if (pageToken === '') break;
    }
    const shown = skip + devices.length;
    return { devices, nextPageToken: shown < total ? next(`${shown}`) : '', total: BigInt(total) };
  }

  #registrations(
    { kind, search }: fleet.ListDevicesRequest,
    pageSize: number,
    pageToken: string,
  ): Promise<management.ListRegistrationsResponse> {
    const { lwm2m } = this.#dependencies;
    return lwm2m.ask((client, options) =>
      client.listRegistrations({ pageSize, pageToken, kind, search }, options),
    );
  }

  async #listFromTelemetry(request: fleet.ListDevicesRequest, pageSize: number): Promise<ListInit> {
    if (request.state !== fleet.DeviceState.UNSPECIFIED) return { devices: [], total: 0n };
    const queries = await this.#telemetry.queries();
    const { devices, total } = await queries.devices({
      after: request.pageToken.slice(TELEMETRY.length),
      limit: pageSize,
      kind: wordOfKind(request.kind),
      search: request.search,
    });
    const last = devices.length === pageSize ? devices.at(-1)?.endpoint : undefined;
    return {
      devices: devices.map(({ endpoint, kind, lastReadingAtMs }) => ({
        endpoint,
        kind: kindOfWord(kind),
        lastReadingAt: timestampFromMs(lastReadingAtMs),
      })),
      nextPageToken: last === undefined ? '' : TELEMETRY + last,
      total: BigInt(total),
    };
  }

  async #withLastReadings(devices: readonly SummaryInit[]): Promise<SummaryInit[]> {
    const endpoints = devices.map(({ endpoint }) => endpoint ?? '');
    const times = await this.#telemetry
      .queries()
      .then((queries) => queries.lastReadingTimes(endpoints))
      .catch(nothing);
    return devices.map((device) => {
      const at = times?.get(device.endpoint ?? '');
      return at === undefined ? device : { ...device, lastReadingAt: timestampFromMs(at) };
    });
  }
}

interface Page {
  readonly devices: readonly SummaryInit[];
  readonly nextPageToken: string;
  readonly total: bigint;
}

/** A reading for the wire, with the unit of its metric. */
export function toReadingInit(row: ReadingRow): MessageInitShape<typeof fleet.ReadingSchema> {
  return {
    at: timestampFromMs(row.atMs),
    sequence: BigInt(row.sequence),
    metric: row.metric,
    value: row.value,
    unit: metricNamed(row.metric)?.unit ?? '',
    stakeholder: row.stakeholder,
  };
}

function summaryOf(registration: management.Registration): SummaryInit {
  const { endpoint, kind, sleeping, registeredAt, updatedAt } = registration;
  return {
    endpoint,
    kind,
    state: sleeping ? fleet.DeviceState.SLEEPING : fleet.DeviceState.REGISTERED,
    ...(registeredAt === undefined ? {} : { registeredAt }),
    ...(updatedAt === undefined ? {} : { updatedAt }),
  };
}

function next(token: string): string {
  return token === '' ? '' : REGISTRATIONS + token;
}

function unknownToken(): Error {
  return analyticsError('ANALYTICS_REQUEST_INVALID', 'page_token is none that was given out');
}

/** For a part of an answer that may be missing: the error is in the log already. */
function nothing(): undefined {
  return undefined;
}
