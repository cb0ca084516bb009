import { isIPv6 } from 'node:net';
import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { EventLog } from '@sefleet/observability';
import { SefleetError } from '@sefleet/errors';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedHandleCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { TlsFiles } from '../tls-files.ts';
import { createCallerCheck, ON_BEHALF_OF } from './caller.ts';
import { toPackageDefinition, toServiceDefinition } from './definition.ts';
import { peerCertificateOf } from './peer-certificate.ts';
import { toServiceError } from './status.ts';

/** What a handler knows about its call. */
export interface CallContext {
  /** Common name of the caller's certificate; of a call that was passed on, of the first caller's. */
  readonly caller: string;
  /** True for a call of a service of the same kind: it is not passed on again. */
  readonly isPassedOn?: boolean;
  /** Aborted when the caller hangs up or its deadline passes. */
  readonly signal: AbortSignal;
}

type Handler<M extends DescMethod> = M extends { methodKind: infer K; input: infer I; output: infer O }
  ? I extends DescMessage
    ? O extends DescMessage
      ? K extends 'unary'
        ? (
            request: MessageShape<I>,
            context: CallContext,
          ) => Promise<MessageInitShape<O>> | MessageInitShape<O>
        : K extends 'server_streaming'
          ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageInitShape<O>>
          : K extends 'client_streaming'
            ? (requests: AsyncIterable<MessageShape<I>>, context: CallContext) => Promise<MessageInitShape<O>>
            : (
                requests: AsyncIterable<MessageShape<I>>,
                context: CallContext,
              ) => AsyncIterable<MessageInitShape<O>>
      : never
    : never
  : never;

/** One function a method: unary ones return a message, streaming ones an async iterable. */
export type ServiceImplementation<S extends DescService> = {
  [M in keyof S['method']]: Handler<S['method'][M]>;
};

/** A service and the functions that serve it. */
export interface ServedService {
  readonly service: DescService;
  readonly implementation: Readonly<Record<string, unknown>>;
}

/** Ties an implementation to its service, checked by the compiler. */
export function serve<S extends DescService>(
  service: S,
  implementation: ServiceImplementation<S>,
): ServedService {
  return { service, implementation };
}

/** A running gRPC server. */
export interface GrpcServer {
  readonly port: number;
  /** Stops taking calls and waits up to `graceMs` for the running ones. */
  close(graceMs?: number): Promise<void>;
}

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const KEEPALIVE_MS = 30_000;

/**
 * Starts a server with mutual TLS (TLS 1.3 or 1.2, client certificate of our authority required), health and
 * reflection. Only a certificate of a service gets further than those two: devices have no business here.
 *
 * @throws SefleetError `GRPC_BIND`, fault `environment`, when the port cannot be taken.
 */
export async function startGrpcServer(options: {
  readonly address: string;
  readonly port: number;
  readonly tls: TlsFiles;
  readonly services: readonly ServedService[];
  readonly log: EventLog;
  /** Name of the services that may pass calls on to this one: its own kind. */
  readonly kind?: string;
  /** True for callers' certificates that do not count any more, by serial number in hexadecimal. */
  readonly isRevoked?: ((serialNumber: string) => boolean) | undefined;
  /** Whether a caller may call a method, `listDevices`; without it every one may, and handlers decide. */
  readonly mayCall?: ((caller: string, method: string) => boolean) | undefined;
  /** Told of every call by a certificate that opens nothing here. */
  readonly callerRefused?: ((refusal: CallerRefusal) => void) | undefined;
}): Promise<GrpcServer> {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
  });
  const nameCaller = createCallerCheck(options.tls.authority, options.isRevoked);
  const statusMap: Record<string, 'SERVING'> = { '': 'SERVING' };
  for (const { service, implementation } of options.services) {
    const handlers: Record<string, UntypedHandleCall> = {};
    for (const method of service.methods) {
      handlers[method.name] = toHandler(method, implementation[method.localName], {
        log: options.log,
        nameCaller,
        kind: options.kind,
        mayCall: options.mayCall,
        callerRefused: options.callerRefused,
      });
    }
    server.addService(toServiceDefinition(service), handlers);
    statusMap[service.typeName] = 'SERVING';
  }
  const health = new HealthImplementation(statusMap);
  health.addToServer(server);
  const services = options.services.map(({ service }) => service);
  // Named one by one: their files describe services that others serve.
  const served = { services: services.map(({ typeName }) => typeName) };
  new ReflectionService(toPackageDefinition(services), served).addToServer(server);
  const port = await bind(server, options);
  return { port, close: (graceMs = 2000) => shutDown(server, health, graceMs) };
}

function bind(
  server: Server,
  { address, port, tls }: { readonly address: string; readonly port: number; readonly tls: TlsFiles },
): Promise<number> {
  const credentials = ServerCredentials.createSsl(
    tls.authority,
    [{ cert_chain: tls.certificate, private_key: tls.privateKey }],
    true,
  );
  return new Promise((resolve, reject) => {
    const host = isIPv6(address) ? `[${address}]` : address;
    server.bindAsync(`${host}:${port}`, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else {
        const options = {
          cause: error,
          context: { address, port },
          hint: 'Choose another port, or end what holds it.',
        };
        reject(
          new SefleetError('GRPC_BIND', 'environment', `gRPC cannot listen on ${address}:${port}`, options),
        );
      }
    });
  });
}

function shutDown(server: Server, health: HealthImplementation, graceMs: number): Promise<void> {
  health.setStatus('', 'NOT_SERVING');
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}

/** A call that was refused because of whose certificate came with it. */
export interface CallerRefusal {
  /** Common name that the certificate carries: a claim when another than our authority signed it. */
  readonly caller: string;
  /** Method of the service, for example `listRegistrations`. */
  readonly method: string;
  readonly reason: string;
}

type AnyCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerReadableStream<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

const CALL_FAILED = {
  name: 'grpc.callFailed',
  level: 'error',
  message: 'a call failed by a fault of ours',
} as const;

function toHandler(
  method: DescMethod,
  implementation: unknown,
  { log, ...callers }: CallerNaming & { readonly log: EventLog },
): UntypedHandleCall {
  if (typeof implementation !== 'function') {
    throw new SefleetError(
      'GRPC_METHOD_MISSING',
      'internal',
      `no handler for ${method.parent.typeName}/${method.name}`,
    );
  }
  const failed = (error: unknown): ReturnType<typeof toServiceError> => {
    if (!(error instanceof SefleetError) || error.fault === 'internal') {
      log.emit(CALL_FAILED, { method: method.name, error });
    }
    return toServiceError(error);
  };
  const answersOnce = method.methodKind === 'unary' || method.methodKind === 'client_streaming';
  const readsOne = method.methodKind === 'unary' || method.methodKind === 'server_streaming';
  const invoke = (call: AnyCall): unknown =>
    Reflect.apply(implementation, undefined, [
      readsOne ? requestOf(call) : requestsOf(call),
      contextOf(call, method, callers),
    ]);
  if (answersOnce) {
    return (call: ServerUnaryCall<unknown, unknown>, respond: sendUnaryData<unknown>) => {
      void Promise.try(invoke, call).then(
        (response: unknown) => respond(null, response),
        (error: unknown) => respond(failed(error)),
      );
    };
  }
  return (call: ServerWritableStream<unknown, unknown>) => {
    void pump(call, () => invoke(call)).catch((error: unknown) => call.emit('error', failed(error)));
  };
}

function requestOf(call: AnyCall): unknown {
  return 'request' in call ? call.request : undefined;
}

/** What the caller sends. Reading to the end must not destroy the stream: the answers still go out on it. */
function requestsOf(call: AnyCall): unknown {
  return 'iterator' in call ? call.iterator({ destroyOnReturn: false }) : undefined;
}

/** Writes what the handler yields, no faster than the caller reads. */
async function pump(call: ServerWritableStream<unknown, unknown>, produce: () => unknown): Promise<void> {
  const produced = produce();
  if (!isAsyncIterable(produced))
    throw new SefleetError('GRPC_NOT_A_STREAM', 'internal', 'handler gave no stream');
  for await (const message of produced) {
    if (call.cancelled || call.destroyed) return;
    if (!call.write(message)) await drained(call);
  }
  call.end();
}

function drained(call: ServerWritableStream<unknown, unknown>): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of ['drain', 'close', 'cancelled']) call.removeListener(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'cancelled']) call.on(event, done);
  });
}

/** How a call's caller is known. */
interface CallerNaming {
  readonly nameCaller: ReturnType<typeof createCallerCheck>;
  readonly kind: string | undefined;
  readonly mayCall: ((caller: string, method: string) => boolean) | undefined;
  readonly callerRefused: ((refusal: CallerRefusal) => void) | undefined;
}

function nameOf(call: AnyCall, method: DescMethod, { nameCaller, callerRefused }: CallerNaming): string {
  const certificate = peerCertificateOf(call);
  try {
    return nameCaller(certificate);
  } catch (error) {
    const name: unknown = certificate?.subject.CN;
    const reason = error instanceof Error ? error.message : String(error);
    callerRefused?.({ caller: typeof name === 'string' ? name : '', method: method.localName, reason });
    throw error;
  }
}

function contextOf(call: AnyCall, method: DescMethod, callers: CallerNaming): CallContext {
  const proven = nameOf(call, method, callers);
  const isPassedOn = proven === callers.kind;
  // What anybody else says about whose call it is counts for nothing.
  const [claimed] = isPassedOn ? call.metadata.get(ON_BEHALF_OF) : [];
  const caller = typeof claimed === 'string' ? claimed : proven;
  if (callers.mayCall?.(caller, method.localName) === false) {
    const reason = `${caller} may not call ${method.name}`;
    callers.callerRefused?.({ caller, method: method.localName, reason });
    throw new SefleetError('GRPC_CALLER_FORBIDDEN', 'caller', reason, {
      hint: 'Use the certificate of the command: cli.pem and cli.key in the folder pki.',
    });
  }
  const controller = new AbortController();
  // The four kinds of call share this event, but not a type that says so.
  (call as { on(event: 'cancelled', listener: () => void): unknown }).on('cancelled', () =>
    controller.abort(),
  );
  return { caller, isPassedOn, signal: controller.signal };
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
