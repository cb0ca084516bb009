import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CODE, codeClass } from '@sefleet/coap';
import type { CoapEndpoint, CoapReply, CoapRequest, RequestHandler } from '@sefleet/coap';
import { omaModels } from '@sefleet/lwm2m';
import type { Peer } from '@sefleet/runtime';
import { SimRuntime } from '@sefleet/runtime/sim';
import { createBootstrapServer } from './bootstrap-server.ts';
import { createLwm2mServer } from './management-server.ts';

const models = omaModels();
const peer = (name: string): Peer => ({
  key: name,
  address: '10.0.0.2',
  port: 1,
  identity: { kind: 'psk', identity: name },
});
const authoriser = {
  authorise: ({ identity }: Peer, endpoint: string | undefined) =>
    identity.kind === 'psk' && (endpoint ?? identity.identity) === identity.identity
      ? { endpoint: identity.identity }
      : undefined,
};

/** A CoAP endpoint of which only the handler is used: requests are put in as the codec would. */
function capture(
  listen: (connect: (handler: RequestHandler) => CoapEndpoint) => CoapEndpoint,
): RequestHandler {
  let taken: RequestHandler | undefined;
  listen((handler) => {
    taken = handler;
    return SILENT;
  });
  assert.ok(taken);
  return taken;
}

const never = (): Promise<never> => new Promise(() => {});
const SILENT: CoapEndpoint = {
  request: never,
  observe: never,
  ping: never,
  counters: () => ({}),
  open: () => ({}),
  close: () => Promise.resolve(),
};

function request(from: Peer, changes: Partial<CoapRequest>): CoapRequest {
  const query = changes.query ?? [];
  return {
    peer: from,
    method: 'POST',
    path: `/${(changes.segments ?? []).join('/')}`,
    segments: [],
    query,
    payload: new Uint8Array(0),
    contentFormat: undefined,
    accept: undefined,
    options: [],
    token: new Uint8Array(0),
    confirmable: true,
    observe: undefined,
    queryValue: (name) => {
      const found = query.find((one) => one === name || one.startsWith(`${name}=`));
      return found?.slice(name.length + 1);
    },
    ...changes,
  };
}

const segment = fc.oneof(
  fc.constantFrom('rd', 'dp', 'bs', 'bspack', '.well-known', 'core', 'x'),
  fc.string(),
);
const hostile = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'FETCH', 'PATCH', 'iPATCH' as const),
  segments: fc.array(segment, { maxLength: 4 }),
  query: fc.array(
    fc.oneof(
      fc.constantFrom(
        'ep=a',
        'ep=b',
        'lt=60',
        'lt=-1',
        'lt=99999999999',
        'lwm2m=1.1',
        'lwm2m=9',
        'b=UQ',
        'Q',
        'pct=112',
      ),
      fc.string(),
    ),
    { maxLength: 5 },
  ),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.constantFrom('</3/0>', '</>;rt="oma.lwm2m",</3>', '</3/0').map((text) => Buffer.from(text)),
  ),
  contentFormat: fc.constantFrom(undefined, 0, 40, 42, 60, 110, 112, 11_542, 11_544, 65_535),
});

test('answers every request with a code, and gives nobody a name that is not its own', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(hostile, { maxLength: 20 }), async (requests) => {
      const runtime = new SimRuntime(1);
      const consumer = { send: () => ({ kind: 'accepted' }) as const, notification: () => {} };
      const server = createLwm2mServer({ runtime, models, authoriser, consumer });
      const bootstrap = createBootstrapServer({
        runtime,
        models,
        authoriser,
        configurationFor: () => ({ deletes: [], writes: [] }),
      });
      const handlers = [
        capture((connect) => server.listen(connect)),
        capture((connect) => bootstrap.listen(connect)),
      ];
      for (const handler of handlers) {
        for (const changes of requests) {
          const reply: CoapReply = await handler(request(peer('a'), changes));
          assert.ok([2, 4, 5].includes(codeClass(reply.code)), String(reply.code));
        }
      }
      for (const { registration } of server.devices()) assert.equal(registration.endpoint, 'a');
      await server.close();
      await bootstrap.close();
    }),
    { numRuns: 150 },
  );
});

test('hides a registration from peers with another credential', async () => {
  const runtime = new SimRuntime(2);
  const consumer = { send: () => ({ kind: 'accepted' }) as const, notification: () => {} };
  const server = createLwm2mServer({ runtime, models, authoriser, consumer });
  const handler = capture((connect) => server.listen(connect));
  const links = { payload: Buffer.from('</3/0>'), contentFormat: 40 };
  const query = ['ep=a', 'lwm2m=1.1'];
  const created = await handler(request(peer('a'), { segments: ['rd'], query, ...links }));
  const [, id = ''] = [created.locationPath ?? []].flat();
  for (const method of ['POST', 'DELETE'] as const) {
    const stolen = await handler(request(peer('b'), { method, segments: ['rd', id], query: ['lt=1'] }));
    assert.equal(stolen.code, CODE.NOT_FOUND);
  }
  assert.equal(server.device('a').registration.lifetimeSeconds, 86_400);
  // The same credential on another session is the same device.
  const moved = { ...peer('a'), key: 'another session' };
  assert.equal((await handler(request(moved, { segments: ['rd', id] }))).code, CODE.CHANGED);
  await server.close();
});
