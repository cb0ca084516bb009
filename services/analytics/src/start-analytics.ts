import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { fleet, provisioning } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import { createNodeRuntime } from '@sefleet/runtime/node';
import {
  createGrpcClient,
  OWN_CALLERS,
  serve,
  type RunningService,
  type ServiceContext,
} from '@sefleet/service';
import { createRecordStore, countDeadLetters } from './adapters/clickhouse/record-store.ts';
import { openClient } from './adapters/clickhouse/open-client.ts';
import { createTelemetryQueries } from './adapters/clickhouse/telemetry-queries.ts';
import { createDependencies } from './adapters/grpc/dependencies.ts';
import { createFleetHandlers } from './adapters/grpc/fleet-handlers.ts';
import { FleetStateReader } from './adapters/grpc/fleet-state.ts';
import { createRecordKeySource } from './adapters/grpc/provisioning-keys.ts';
import { createTelemetryService } from './adapters/grpc/telemetry-service.ts';
import { startConsole } from './adapters/http/console-server.ts';
import { openBus, type Bus } from './adapters/mqtt/bus.ts';
import { Ingest } from './domain/ingest.ts';
import type { RecordStore } from './domain/ports.ts';
import { RecordKeys } from './domain/record-keys.ts';
import type { TelemetryQueries, TelemetryState } from './domain/telemetry.ts';
import { analyticsError } from './errors.ts';
import { EVENTS } from './events.ts';
import type { ANALYTICS_SETTINGS } from './settings.ts';

type Context = ServiceContext<typeof ANALYTICS_SETTINGS>;

interface Store extends RecordStore {
  readonly queries: TelemetryQueries;
  readonly rejected: number;
  close(): Promise<void>;
}

/** How long a question waits for ClickHouse to be opened. */
const STORE_PATIENCE_MS = 5000;
const STORE_RETRY_MS = 2000;

/** Wires the service: broker and gRPC first, ClickHouse behind them, ingest when ClickHouse is open. */
export async function startAnalytics(context: Context): Promise<RunningService> {
  const { settings, tls, log } = context;
  const runtime = createNodeRuntime();
  const bus = await openBus(context);
  const keyClient =
    settings.provisioningTarget === ''
      ? undefined
      : createGrpcClient(provisioning.RecordKeyService, settings.provisioningTarget, tls);
  const stopping = new AbortController();
  const opening = openStore(context, stopping.signal);
  const keys = new RecordKeys(createRecordKeySource(keyClient), runtime.clock);
  const ingest = createIngest(context, bus, opening, keys, runtime.clock);
  const ingesting = opening
    .then((store) => (stopping.signal.aborted ? undefined : ingest.start(store.rejected)))
    .catch((error: unknown) => {
      // Without ingest the service is of no use: it ends, and is started anew.
      if (!stopping.signal.aborted) throw error;
    });
  const telemetry = createTelemetryState(bus, ingest, opening);
  const dependencies = createDependencies(settings, tls, log);
  const state = new FleetStateReader(dependencies, telemetry, runtime.clock, log);
  const handlers = createFleetHandlers({ dependencies, telemetry, state, sleep });
  const web = settings.consoleEnabled
    ? await startConsole({ port: settings.consolePort, handlers, log })
    : undefined;
  return {
    mayCall: callRule(settings.fleetReaders),
    grpc: [createTelemetryService(telemetry), serve(fleet.FleetService, handlers)],
    ready: { mqttPort: bus.port, consolePort: web?.port },
    stop: async () => {
      stopping.abort();
      await web?.close();
      await bus.stopListening();
      await ingesting;
      await ingest.stop();
      await bus.close();
      await opening.then((store) => store.close()).catch(() => {});
      dependencies.close();
      keyClient?.close();
      runtime.close();
    },
  };
}

/**
 * What is told here is every stakeholder's, and a rotation is started in the name of this service: a
 * stakeholder's certificate opens neither.
 */
function callRule(fleetReaders: string): (caller: string, method: string) => boolean {
  const readers = new Set(fleetReaders.split(/\s+/));
  return (caller, method) =>
    method === 'startRotation' ? caller === 'cli' : OWN_CALLERS.has(caller) || readers.has(caller);
}

type Runtime = ReturnType<typeof createNodeRuntime>;

function createIngest(
  { settings, log }: Context,
  bus: Bus,
  opening: Promise<Store>,
  keys: RecordKeys,
  clock: Runtime['clock'],
): Ingest {
  // Ingest begins when the store is open: until then it waits for nothing else.
  const store: RecordStore = {
    insert: async (records, token) => (await opening).insert(records, token),
    insertDeadLetters: async (letters, token) => (await opening).insertDeadLetters(letters, token),
    storedRanges: async function* () {
      yield* (await opening).storedRanges();
    },
  };
  const limits = { batchRecords: settings.ingestBatchRecords, lingerMs: settings.ingestLingerMs };
  return new Ingest({ source: bus.source, store, keys, clock, log, sleep }, limits, randomUUID());
}

function createTelemetryState(bus: Bus, ingest: Ingest, opening: Promise<Store>): TelemetryState {
  return {
    queries: async () => {
      const patience = delay(STORE_PATIENCE_MS, undefined, { ref: false });
      const store = await Promise.race([opening, patience]);
      if (store !== undefined) return store.queries;
      throw analyticsError('ANALYTICS_STORE_UNAVAILABLE', 'ClickHouse is not open yet', {
        hint: 'The log of analytics says why; it goes on trying.',
      });
    },
    statistics: () => ({
      ingest: ingest.statistics(),
      mqttClients: bus.clients(),
      mqttRefused: bus.refused(),
      queuedBytes: bus.queuedBytes(),
    }),
  };
}

/** Opens ClickHouse, and tries again until it is open or the service stops. */
async function openStore({ settings, dataFolder, log }: Context, signal: AbortSignal): Promise<Store> {
  // A turn later: loading the engine blocks, and the ports are to be open by then.
  await delay(0);
  const folder = `${dataFolder}/clickhouse`;
  const clock = { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
  for (;;) {
    const startedMs = clock.monotonicMs();
    try {
      const client = await openClient({
        url: settings.clickhouseUrl,
        database: settings.clickhouseDatabase,
        folder,
      });
      const rejected = await countDeadLetters(client);
      log.emit(EVENTS.storeReady, {
        embedded: settings.clickhouseUrl === '',
        tookMs: Math.round(clock.monotonicMs() - startedMs),
        residentBytes: process.memoryUsage.rss(),
      });
      const queries = createTelemetryQueries(client);
      return { ...createRecordStore(client, clock), queries, rejected, close: () => client.close() };
    } catch (error) {
      const known = isSefleetError(error)
        ? { code: error.code, reason: error.message, hint: error.hint }
        : {};
      log.emit(EVENTS.storeFailed, { ...known, error, retryInMs: STORE_RETRY_MS });
      await sleep(STORE_RETRY_MS, signal);
      if (signal.aborted) throw error;
    }
  }
}

async function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  await delay(delayMs, undefined, { signal }).catch(() => {});
}
