import { isIP } from 'node:net';
import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { SefleetError } from '@sefleet/errors';
import {
  Client,
  credentials,
  Metadata,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import type { TlsFiles } from '../tls-files.ts';
import { ON_BEHALF_OF } from './caller.ts';
import { toMethodDefinition } from './definition.ts';
import { fromServiceError } from './status.ts';

/** How one call is made. */
export interface CallOptions {
  /** Milliseconds until the call is given up. Unary calls have a default; streams run until they end. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Name of the caller whose call this is, for a service that passes calls on to its own kind. */
  readonly onBehalfOf?: string;
}

/** A conversation: send as you like, read what comes. */
export interface DuplexCall<I extends DescMessage, O extends DescMessage> {
  send(message: MessageInitShape<I>): void;
  readonly responses: AsyncIterableIterator<MessageShape<O>>;
  /** Says that nothing more will be sent. */
  end(): void;
  cancel(): void;
}

type Caller<M extends DescMethod> = M extends { methodKind: infer K; input: infer I; output: infer O }
  ? I extends DescMessage
    ? O extends DescMessage
      ? K extends 'unary'
        ? (request: MessageInitShape<I>, options?: CallOptions) => Promise<MessageShape<O>>
        : K extends 'server_streaming'
          ? (request: MessageInitShape<I>, options?: CallOptions) => AsyncIterableIterator<MessageShape<O>>
          : (options?: CallOptions) => DuplexCall<I, O>
      : never
    : never
  : never;

/** One function a method of the service. */
export type GrpcClient<S extends DescService> = {
  readonly [M in keyof S['method']]: Caller<S['method'][M]>;
} & {
  /** Resolves when a connection stands; rejects with `GRPC_UNREACHABLE` when none does within `limitMs`. */
  connected(limitMs: number): Promise<void>;
  close(): void;
};

const DEFAULT_DEADLINE_MS = 10_000;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * A client of `service` at `target` (`127.0.0.1:50051`) over mutual TLS. It connects when first used and
 * again after a loss. Failures are {@link SefleetError}s with the code of the remote error or
 * `GRPC_<status>`.
 */
export function createGrpcClient<S extends DescService>(
  service: S,
  target: string,
  tls: TlsFiles,
): GrpcClient<S> {
  const client = new Client(target, credentials.createSsl(tls.authority, tls.privateKey, tls.certificate), {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    ...nameToCheck(target),
  });
  const calls: Record<string, unknown> = {
    close: () => client.close(),
    connected: (limitMs: number) => untilConnected(client, target, limitMs),
  };
  for (const method of service.methods) calls[method.localName] = callerOf(client, method, target);
  // Built method by method from the same description that the type is computed from.
  return calls as GrpcClient<S>;
}

function untilConnected(client: Client, target: string, limitMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    client.waitForReady(Date.now() + limitMs, (cause) => {
      if (cause === undefined) resolve();
      else
        reject(
          new SefleetError('GRPC_UNREACHABLE', 'environment', `nothing answers at ${target}`, { cause }),
        );
    });
  });
}

/**
 * A TLS server name is never an IP address (RFC 6066 §3): the certificate of such a target is checked for
 * localhost.
 */
function nameToCheck(target: string): Record<string, string> {
  const host = target.slice(0, target.lastIndexOf(':')).replaceAll(/[[\]]/g, '');
  return isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'localhost' };
}

function callerOf(client: Client, method: DescMethod, target: string): unknown {
  const { path, requestSerialize, responseDeserialize } = toMethodDefinition(method);
  const name = `${method.parent.name}.${method.name} at ${target}`;
  switch (method.methodKind) {
    case 'unary':
      return (request: MessageInitShape<DescMessage>, options: CallOptions = {}) =>
        new Promise((resolve, reject) => {
          const deadline = Date.now() + (options.deadlineMs ?? DEFAULT_DEADLINE_MS);
          const call = client.makeUnaryRequest(
            path,
            requestSerialize,
            responseDeserialize,
            create(method.input, request),
            metadataOf(options),
            { deadline },
            (error, response) => {
              release();
              if (error === null) resolve(response);
              else reject(fromServiceError(error, name));
            },
          );
          const release = cancelOn(options.signal, call);
        });
    case 'server_streaming':
      return (request: MessageInitShape<DescMessage>, options: CallOptions = {}) =>
        responsesOf(
          client.makeServerStreamRequest(
            path,
            requestSerialize,
            responseDeserialize,
            create(method.input, request),
            metadataOf(options),
            deadlineOf(options),
          ),
          name,
          options.signal,
        );
    default:
      return (options: CallOptions = {}) => {
        const call = client.makeBidiStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          metadataOf(options),
          deadlineOf(options),
        );
        return {
          send: (message: MessageInitShape<DescMessage>) => void call.write(create(method.input, message)),
          responses: responsesOf(call, name, options.signal),
          end: () => call.end(),
          cancel: () => call.cancel(),
        };
      };
  }
}

function metadataOf({ onBehalfOf }: CallOptions): Metadata {
  const metadata = new Metadata({ waitForReady: true });
  if (onBehalfOf !== undefined) metadata.set(ON_BEHALF_OF, onBehalfOf);
  return metadata;
}

function deadlineOf(options: CallOptions): { deadline?: number } {
  return options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
}

async function* responsesOf<T>(
  call: ClientReadableStream<T> | ClientDuplexStream<unknown, T>,
  name: string,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<T> {
  const release = cancelOn(signal, call);
  try {
    for await (const message of call) yield message;
  } catch (error) {
    if (signal?.aborted === true) return;
    throw isServiceError(error) ? fromServiceError(error, name) : error;
  } finally {
    release();
    call.cancel();
  }
}

/** Cancels a call when its signal aborts, or has aborted. @returns what the end of the call has to run */
function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  if (signal === undefined) return () => {};
  const cancel = (): void => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return () => signal.removeEventListener('abort', cancel);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error;
}
