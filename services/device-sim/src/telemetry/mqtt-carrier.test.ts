import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimRuntime } from '@sefleet/runtime/sim';
import { Gate } from '../fleet/gate.ts';
import { MqttCarrier } from './mqtt-carrier.ts';

test('tries again, and ends nothing, when a card makes no credential', async () => {
  const runtime = new SimRuntime(1);
  const failures: unknown[] = [];
  let asked = 0;
  const carrier = new MqttCarrier(
    {
      runtime,
      url: 'mqtts://127.0.0.1:1',
      authority: new Uint8Array(),
      gate: new Gate(1),
      events: { connected: () => {}, disconnected: () => {}, failed: (error) => failures.push(error) },
    },
    {
      endpoint: 'obu',
      topic: 'sefleet/v1/obu/obu/records',
      credential: () => {
        asked++;
        return Promise.reject(new RangeError('the card is locked'));
      },
    },
  );
  carrier.start(() => {});
  await runtime.advance(60_000);
  assert.ok(asked >= 5, `${asked} times`);
  assert.equal(failures.length, asked);
  await carrier.stop();
  await runtime.advance(60_000);
  assert.equal(failures.length, asked);
});
