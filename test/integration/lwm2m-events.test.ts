import assert from 'node:assert/strict';
import { test } from 'node:test';
import { management } from '@sefleet/api';
import { LoadBackend } from '../load/lwm2m/backend.ts';
import { LoadFleet } from '../load/lwm2m/fleet.ts';

const { EventType } = management;
const BOUNDED = { timeout: 90_000 };
/** Devices notice within two seconds that their session is gone. */
const FAST = { ackTimeoutMs: 300, maxRetransmit: 2 };

test(
  'a reader of events goes on with its token over kill -9 of the server: nothing lost, nothing twice',
  BOUNDED,
  async (t) => {
    const backend = await LoadBackend.start();
    t.after(() => backend.stop());
    const fleet = new LoadFleet(3, backend.bootstrapPort, {}, FAST);
    t.after(() => fleet.stop());
    await fleet.start(3);
    const [device] = fleet.devices;
    assert.ok(device);
    const { endpoint } = device;
    assert.equal((await backend.client.observe({ endpoint, path: '/3303/0/5700' })).code, '2.05');
    const confirmable = [{ name: 'con', value: '1' }];
    await backend.client.writeAttributes({ endpoint, path: '/3303/0/5700', attributes: confirmable });

    const seen: number[] = [];
    let token = '';
    const read = async (until: (value: number) => boolean): Promise<void> => {
      const types = [EventType.NOTIFICATION];
      for await (const event of backend.client.watchEvents({ resumeToken: token, types })) {
        token = event.resumeToken;
        assert.notEqual(event.type, EventType.SKIPPED);
        const [{ v }] = JSON.parse(event.senmlJson);
        seen.push(v);
        if (until(v)) return;
      }
    };
    const first = read((value) => value >= 5);
    // The stream is open when its first event comes: until then a value is given again.
    let value = 0;
    const set = (): void => device.tree.instance(3303, 0)?.set(5700, ++value);
    while (seen.length === 0) {
      set();
      await pause(20);
    }
    while (value < 30) {
      set();
      await pause(5);
    }
    await first;
    // Behind the reader's back, and then the server dies.
    for (let i = 0; i < 10; i++) {
      set();
      await pause(20);
    }
    const told = value;
    await backend.killServer();
    await backend.startServer();
    await read((one) => one >= told);
    device.client.update();
    const changing = setInterval(set, 20);
    await read((one) => one > told + 3);
    clearInterval(changing);
    assert.deepEqual(
      seen,
      [...new Set(seen)].toSorted((one, other) => one - other),
    );
    const [from = 0] = seen;
    // Everything that was set before the kill, from the first that the reader got.
    const before = seen.filter((one) => one <= told);
    assert.deepEqual(
      before,
      Array.from({ length: told - from + 1 }, (_, index) => from + index),
    );
  },
);

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
