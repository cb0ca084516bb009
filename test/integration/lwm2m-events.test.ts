import assert from 'node:assert/strict';
import { test } from 'node:test';
import { management } from '@sefleet/api';
import { LoadBackend } from '../load/lwm2m/backend.ts';
import { LoadFleet } from '../load/lwm2m/fleet.ts';

const { EventType } = management;
const BOUNDED = { timeout: 90_000 };
/** Devices notice within two seconds that their session is gone. */
const FAST = { ackTimeoutMs: 300, maxRetransmit: 2 };

interface Reader {
  token: string;
  readonly seen: number[];
}

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

    /** Reads notifications from a reader's place on, until one is as wanted. */
    const read = async (reader: Reader, until: (value: number) => boolean): Promise<void> => {
      const types = [EventType.NOTIFICATION];
      for await (const event of backend.client.watchEvents({ resumeToken: reader.token, types })) {
        reader.token = event.resumeToken;
        assert.notEqual(event.type, EventType.SKIPPED);
        const [{ v }] = JSON.parse(event.senmlJson);
        reader.seen.push(v);
        if (until(v)) return;
      }
    };
    let value = 0;
    const set = (): void => device.tree.instance(3303, 0)?.set(5700, ++value);
    const [reader, witness]: readonly [Reader, Reader] = [
      { token: '', seen: [] },
      { token: '', seen: [] },
    ];
    const first = read(reader, (one) => one >= 5);
    const all = read(witness, (one) => one >= 30);
    // A stream is open when its first event comes.
    while (reader.seen.length === 0 || witness.seen.length === 0 || value < 30) {
      set();
      await pause(10);
    }
    await Promise.all([first, all]);
    // The reader has been away for a while when the server dies.
    await backend.killServer();
    await backend.startServer();
    const [last = 0] = witness.seen.slice(-1);
    await read(reader, (one) => one >= last);
    const changing = setInterval(set, 20);
    device.client.update();
    await read(reader, (one) => one > last + 3);
    clearInterval(changing);
    const { seen } = reader;
    assert.deepEqual(
      seen,
      [...new Set(seen)].toSorted((one, other) => one - other),
    );
    const [from = 0] = seen;
    // What another reader was told before the kill is what this one is told, from its first on.
    assert.deepEqual(
      seen.filter((one) => one <= last),
      witness.seen.filter((one) => one >= from),
    );
  },
);

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
