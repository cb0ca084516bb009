import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Code, ConnectError, type ConnectRouter, type Interceptor } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { fleet } from '@sefleet/api';
import { SefleetError, type Fault } from '@sefleet/errors';
import type { EventLog } from '@sefleet/observability';
import type { ServiceImplementation } from '@sefleet/service';
import { analyticsError } from '../../errors.ts';
import { EVENTS } from '../../events.ts';
import { loadWebAssets, type WebAsset, type WebAssets } from './web-assets.ts';

export interface ConsoleOptions {
  readonly port: number;
  readonly handlers: ServiceImplementation<typeof fleet.FleetService>;
  readonly log: EventLog;
}

export interface ConsoleServer {
  readonly port: number;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const LOOPBACK_NAMES = new Set(['127.0.0.1', 'localhost', '[::1]']);
const MAX_CONNECTIONS = 256;
const MAX_REQUEST_BYTES = 65_536;
const HEADERS_TIMEOUT_MS = 10_000;
/** Dashboards watch; whoever changes something uses gRPC with a certificate of their own. */
const CALLER = 'web console';

/**
 * The web console on loopback: its pages, and behind them the reading half of `FleetService` by the Connect
 * protocol, so that the browser speaks the same messages as everybody else.
 *
 * @throws SefleetError `ANALYTICS_PORT_IN_USE`.
 */
export async function startConsole({ port, handlers, log }: ConsoleOptions): Promise<ConsoleServer> {
  const assets = loadWebAssets();
  const rpc = connectNodeAdapter({
    routes: (router) => registerReading(router, handlers),
    interceptors: [translateErrors],
    readMaxBytes: MAX_REQUEST_BYTES,
    jsonOptions: { alwaysEmitImplicit: true },
  });
  const policy = contentSecurityPolicy(assets);
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(policy)) response.setHeader(name, value);
    if (!isOurs(request)) return refuse(response, 403, 'this console answers on loopback only');
    if (request.method === 'POST') return rpc(request, response);
    return sendAsset(assets, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  const bound = await listen(server, port);
  log.emit(EVENTS.consoleListening, { url: `http://${HOST}:${bound}/` });
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function registerReading(router: ConnectRouter, handlers: ConsoleOptions['handlers']): void {
  router.service(fleet.FleetService, {
    getFleetState: (request, { signal }) => handlers.getFleetState(request, { caller: CALLER, signal }),
    watchFleetState: (request, { signal }) => handlers.watchFleetState(request, { caller: CALLER, signal }),
    listDevices: (request, { signal }) => handlers.listDevices(request, { caller: CALLER, signal }),
    getDevice: (request, { signal }) => handlers.getDevice(request, { caller: CALLER, signal }),
    getRotation: (request, { signal }) => handlers.getRotation(request, { caller: CALLER, signal }),
    queryTelemetry: (request, { signal }) => handlers.queryTelemetry(request, { caller: CALLER, signal }),
  });
}

const CODE_BY_FAULT: Readonly<Record<Fault, Code>> = {
  caller: Code.InvalidArgument,
  peer: Code.FailedPrecondition,
  environment: Code.Unavailable,
  internal: Code.Internal,
};

const translateErrors: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (!(error instanceof SefleetError)) throw error;
    const code = error.code.endsWith('_NOT_FOUND') ? Code.NotFound : CODE_BY_FAULT[error.fault];
    throw new ConnectError(`${error.message} (${error.code})`, code);
  }
};

function contentSecurityPolicy({ importMapHash }: WebAssets): Readonly<Record<string, string>> {
  return {
    'content-security-policy':
      `default-src 'none'; script-src 'self' ${importMapHash}; style-src 'self'; img-src 'self'; ` +
      `connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
  };
}

/**
 * Neither a foreign name that resolves to loopback (DNS rebinding) nor a page of another origin gets an
 * answer.
 */
function isOurs({ headers }: IncomingMessage): boolean {
  const host = headers.host ?? '';
  if (!LOOPBACK_NAMES.has(host.replace(/:\d+$/, ''))) return false;
  return headers.origin === undefined || headers.origin === `http://${host}`;
}

function sendAsset({ byPath }: WebAssets, request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '/').replace(/[?#].*$/, '');
  const found = byPath.get(path);
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return refuse(response, 405, 'method not allowed');
  if (found === undefined) return refuse(response, 404, 'no such page');
  response.setHeader('cache-control', 'no-cache');
  response.setHeader('etag', found.etag);
  if (request.headers['if-none-match'] === found.etag) {
    response.writeHead(304).end();
    return;
  }
  sendBody(response, found, request.method === 'HEAD');
}

function sendBody(response: ServerResponse, { contentType, body }: WebAsset, headOnly: boolean): void {
  response.writeHead(200, { 'content-type': contentType, 'content-length': body.length });
  response.end(headOnly ? undefined : body);
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${reason}\n`);
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        analyticsError('ANALYTICS_PORT_IN_USE', `cannot serve the web console on ${HOST}:${port}`, {
          cause,
          hint: 'Set SEFLEET_CONSOLE_PORT to a free port, or SEFLEET_CONSOLE to false.',
        }),
      ),
    );
    server.listen(port, HOST, () => {
      const bound = server.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}
