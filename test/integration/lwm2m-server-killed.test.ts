import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadBackend } from '../load/lwm2m/backend.ts';
import { LoadFleet } from '../load/lwm2m/fleet.ts';

const DEVICES = 20;
const BOUNDED = { timeout: 90_000 };

test(
  'a killed LwM2M server knows its devices again, and they come back by themselves',
  BOUNDED,
  async (t) => {
    const backend = await LoadBackend.start();
    t.after(() => backend.stop());
    const fleet = new LoadFleet(DEVICES, backend.bootstrapPort, {}, FAST);
    t.after(() => fleet.stop());
    await fleet.start(DEVICES);
    const [first] = fleet.devices;
    assert.ok(first);
    const { endpoint } = first;
    assert.equal((await backend.client.observe({ endpoint, path: '/3303/0/5700' })).code, '2.05');
    const before = await backend.client.listRegistrations({});
    assert.equal(before.total, BigInt(DEVICES));

    await backend.killServer();
    await backend.startServer();
    const after = await backend.client.listRegistrations({});
    assert.deepEqual(
      after.registrations.map(({ registrationId }) => registrationId),
      before.registrations.map(({ registrationId }) => registrationId),
    );
    for (const { client } of fleet.devices) client.update();
    // An Update that nobody answers makes a device register anew, on a new session.
    await until(async () => {
      const counters = await backend.counters();
      const heard =
        (counters.get('registration.updated') ?? 0) + (counters.get('registration.accepted') ?? 0);
      return heard >= DEVICES;
    });
    assert.equal((await backend.client.listRegistrations({})).total, BigInt(DEVICES));
    const events = backend.client.watchEvents({});
    let value = 100;
    const changing = setInterval(() => first.tree.instance(3303, 0)?.set(5700, value++), 20);
    for await (const event of events) {
      if (event.path === '/3303/0/5700' && event.endpoint === endpoint) break;
    }
    clearInterval(changing);
  },
);

/** A device notices within two seconds that its session is gone. */
const FAST = { ackTimeoutMs: 300, maxRetransmit: 2 };

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.fail('the condition did not come true in thirty seconds');
}
