import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimNetwork, SimRuntime } from '@sefleet/runtime/sim';
import { findOption } from '../codec/option.ts';
import { createCoapEndpoint } from '../coap-endpoint.ts';
import { CODE, METHOD, OPTION } from '../constants.ts';
import { lockstep, settled } from '../testing/lockstep.ts';
import { requireFreshness } from './freshness.ts';

const { POST } = METHOD;

test('a client of ours proves freshness without its caller noticing', async () => {
  const runtime = new SimRuntime(1);
  const network = new SimNetwork(runtime);
  let handled = 0;
  const handler = requireFreshness({ runtime }, () => ({ code: CODE.CHANGED, payload: String(++handled) }));
  createCoapEndpoint({ channel: network.bind('10.0.0.1', 5683), runtime, handler });
  const channel = network.bind('10.0.0.2');
  const client = createCoapEndpoint({ channel, runtime });
  const response = await settled(
    runtime,
    client.request(channel.peerAt('10.0.0.1', 5683), { method: 'POST' }),
  );
  assert.equal(response.code, CODE.CHANGED);
  assert.equal(handled, 1);
});

test('an Echo that is old, forged or of another length is challenged again', async () => {
  const world = lockstep({
    handler: (request) => guarded(request),
  });
  const { runtime, script } = world;
  const guarded = requireFreshness({ runtime, windowMs: 1000 }, () => ({ code: CODE.CHANGED }));
  let messageId = 0;
  const ask = async (echo: Uint8Array | undefined, code: number): Promise<Uint8Array> => {
    const options = echo === undefined ? [] : [{ number: OPTION.ECHO, value: echo }];
    script.send({ type: 'CON', code: POST, messageId: ++messageId, options });
    const answer = await script.expect({ type: 'ACK', code });
    return findOption(answer.options, OPTION.ECHO) ?? new Uint8Array(0);
  };
  const echo = await ask(undefined, CODE.UNAUTHORIZED);
  await ask(echo, CODE.CHANGED);
  await ask(echo.with(0, (echo[0] ?? 0) ^ 1), CODE.UNAUTHORIZED);
  await ask(echo.with(13, (echo[13] ?? 0) ^ 1), CODE.UNAUTHORIZED);
  await ask(echo.subarray(1), CODE.UNAUTHORIZED);
  await runtime.advance(2000);
  await ask(echo, CODE.UNAUTHORIZED);
});
