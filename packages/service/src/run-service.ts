import { describeSettings, readSettings, type SettingDefinitions, type SettingValues } from '@sefleet/config';
import { SefleetError } from '@sefleet/errors';
import { createEventLog, type EventLog } from '@sefleet/observability';
import { startGrpcServer, type CallerRefusal, type ServedService } from './grpc/server.ts';
import { SERVICE_SETTINGS } from './service-settings.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';

/** What a service is given when it starts. */
export interface ServiceContext<D extends SettingDefinitions> {
  readonly settings: SettingValues<D>;
  readonly log: EventLog;
  readonly tls: TlsFiles;
  /** Folder for what the service keeps, its own. */
  readonly dataFolder: string;
}

/** What a service that has started gives back. */
export interface RunningService {
  readonly grpc: readonly ServedService[];
  /** Facts for the readiness line, for example the ports that were free. */
  readonly ready?: Readonly<Record<string, unknown>>;
  /** True for callers' certificates that do not count any more, by serial number in hexadecimal. */
  readonly isRevoked?: (serialNumber: string) => boolean;
  /** Whether a caller may call a method of the services; without it every one may, and handlers decide. */
  readonly mayCall?: (caller: string, method: string) => boolean;
  /** Told of every call by a certificate that opens nothing here: a device's, a revoked one. */
  readonly callerRefused?: (refusal: CallerRefusal) => void;
  stop(): Promise<void>;
}

/** What a service is. */
export interface ServiceDescription<D extends SettingDefinitions> {
  readonly name: string;
  readonly settings: D;
  start(context: ServiceContext<D>): Promise<RunningService>;
}

/** Exit codes of the command-line contract that a service can end with. */
export const EXIT = { passed: 0, internal: 1, usage: 2, unreachable: 3 } as const;

/** Whoever stops a service waits about so long before it kills it. */
const STOP_LIMIT_MS = 8000;
const STARTED = { name: 'service.ready', level: 'info', message: 'ready' } as const;
const STOPPING = { name: 'service.stopping', level: 'info', message: 'stopping' } as const;
const STOP_TIMED_OUT = {
  name: 'service.stopTimedOut',
  level: 'error',
  message: 'did not stop in time',
} as const;
const FAILED = { name: 'service.failed', level: 'error', message: 'cannot go on' } as const;

/**
 * The life of a service process: reads the settings once, starts the service and its gRPC server, prints one
 * `service.ready` line, stops cleanly on SIGINT and SIGTERM, and ends with a documented exit code when it
 * cannot go on.
 */
export async function runService<D extends SettingDefinitions>(
  description: ServiceDescription<D>,
): Promise<void> {
  let log: EventLog = createEventLog({ service: description.name });
  try {
    const own = readSettings(SERVICE_SETTINGS, process.env);
    log = createEventLog({ service: description.name, level: own.logLevel });
    guardProcess(log);
    endWithSupervisor();
    const settings = readSettings(description.settings, process.env);
    const { certificateName } = own;
    const tls = readTlsFiles(own.pkiFolder, certificateName === '' ? description.name : certificateName);
    const dataFolder = `${own.dataFolder}/${description.name}`;
    const running = await description.start({ settings, log, tls, dataFolder });
    const server = await startGrpcServer({
      address: own.grpcAddress,
      port: own.grpcPort,
      tls,
      services: running.grpc,
      log,
      kind: description.name,
      isRevoked: running.isRevoked,
      mayCall: running.mayCall,
      callerRefused: running.callerRefused,
    });
    const effective = {
      ...describeSettings(SERVICE_SETTINGS, own),
      ...describeSettings(description.settings, settings),
    };
    log.emit(STARTED, { grpcPort: server.port, ...running.ready, settings: effective });
    process.send?.({ type: 'ready', grpcPort: server.port, ...running.ready });
    stopOnSignal(async () => {
      log.emit(STOPPING);
      await server.close();
      await running.stop();
    }, log);
  } catch (error) {
    fail(log, error);
  }
}

function stopOnSignal(stop: () => Promise<void>, log: EventLog): void {
  let stopping = false;
  const onSignal = (): void => {
    if (stopping) process.exit(EXIT.internal);
    stopping = true;
    setTimeout(() => {
      log.emit(STOP_TIMED_OUT);
      process.exit(EXIT.internal);
    }, STOP_LIMIT_MS).unref();
    stop().then(
      () => process.exit(EXIT.passed),
      (error: unknown) => fail(log, error),
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // The supervisor holds the other end: when it is gone there is nobody left to serve for.
  process.removeAllListeners('disconnect');
  process.on('disconnect', onSignal);
}

/** While a service starts there is nothing to stop in order: without its supervisor it just ends. */
function endWithSupervisor(): void {
  if (process.send === undefined) return;
  if (!process.connected) process.exit(EXIT.internal);
  process.once('disconnect', () => process.exit(EXIT.internal));
}

function guardProcess(log: EventLog): void {
  process.on('uncaughtException', (error) => fail(log, error));
  process.on('unhandledRejection', (error) => fail(log, error));
}

function fail(log: EventLog, error: unknown): void {
  const known = error instanceof SefleetError;
  log.emit(FAILED, known ? { code: error.code, reason: error.message, hint: error.hint, error } : { error });
  if (!known || error.fault === 'internal') process.exit(EXIT.internal);
  process.exit(error.fault === 'environment' ? EXIT.unreachable : EXIT.usage);
}
