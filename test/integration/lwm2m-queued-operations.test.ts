import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { common, management } from '@sefleet/api';
import { SoftwareDevice } from '../../services/lwm2m-server/src/testing/software-device.ts';
import { LoadBackend } from '../load/lwm2m/backend.ts';
import { endpointOf, keyOf } from '../load/lwm2m/fleet.ts';

const { QueuedOperationState: State } = management;
const BOUNDED = { timeout: 60_000 };
const REBOOT = { operation: { case: 'execute', value: { path: '/3/0/4' } } } as const;
const LIFETIME = {
  operation: { case: 'write', value: { path: '/1/0/1', senmlJson: '[{"n":"/1/0/1","v":777}]' } },
} as const;

/** A device notices within two seconds that its session is gone. */
const FAST = { ackTimeoutMs: 300, maxRetransmit: 2 };

function deviceOf(name: string, port: number, t: TestContext): SoftwareDevice {
  const known = {
    endpoint: endpointOf(name),
    kind: common.DeviceKind.SMART_METER,
    identity: name,
    psk: keyOf(name),
    bootstrapIdentity: `${name}-bs`,
    bootstrapPsk: keyOf(`${name}-bs`),
  };
  const device = new SoftwareDevice(known, {}, FAST).withManagementAccount(port, known, 'UQ');
  t.after(() => device.powerOff());
  return device;
}

test(
  'an operation for a sleeping device survives kill -9 of the server and is made once',
  BOUNDED,
  async (t) => {
    const backend = await LoadBackend.start({ SEFLEET_LWM2M_AWAKE_MS: '300' });
    t.after(() => backend.stop());
    const device = deviceOf('sleeper', backend.lwm2mPort, t);
    await device.client.start();
    const endpoint = endpointOf('sleeper');
    await until(async () => {
      const { registration } = await backend.client.getRegistration({ endpoint });
      return registration?.sleeping === true;
    });
    for (const [operationId, operation] of [
      ['reboot', REBOOT],
      ['lifetime', LIFETIME],
    ] as const) {
      const { operation: queued } = await backend.client.enqueueOperation({
        operationId,
        endpoint,
        operation,
      });
      assert.equal(queued?.state, State.WAITING);
    }
    await backend.killServer();
    await backend.startServer();
    assert.equal(device.reboots, 0);
    const listed = await backend.client.listQueuedOperations({ endpoint, onlyOpen: true });
    assert.deepEqual(
      listed.operations.map(({ operationId }) => operationId),
      ['reboot', 'lifetime'],
    );
    const again = await backend.client.enqueueOperation({
      operationId: 'reboot',
      endpoint,
      operation: REBOOT,
    });
    assert.equal(again.operation?.state, State.WAITING);
    const events = backend.client.watchEvents({ types: [management.EventType.OPERATION_ENDED] });
    device.client.update();
    const ended: string[] = [];
    for await (const { operationId, code } of events) {
      ended.push(`${operationId} ${code}`);
      if (ended.length === 2) break;
    }
    assert.deepEqual(ended, ['reboot 2.04', 'lifetime 2.04']);
    assert.equal(device.reboots, 1);
    await backend.killServer();
    await backend.startServer();
    device.client.update();
    const { operation } = await backend.client.getQueuedOperation({ operationId: 'reboot' });
    assert.deepEqual([operation?.state, operation?.code], [State.ANSWERED, '2.04']);
    await until(async () => ((await backend.counters()).get('registered') ?? 0) > 0);
    assert.equal(device.reboots, 1);
  },
);

test('an operation waits for a device that has never registered', BOUNDED, async (t) => {
  const backend = await LoadBackend.start();
  t.after(() => backend.stop());
  const endpoint = endpointOf('newcomer');
  const read = { operation: { case: 'read', value: { path: '/3/0/0' } } } as const;
  await backend.client.enqueueOperation({ operationId: 'name', endpoint, operation: read });
  await backend.client.enqueueOperation({ operationId: 'gone', endpoint, operation: REBOOT });
  const { operation: gone } = await backend.client.cancelQueuedOperation({ operationId: 'gone' });
  assert.equal(gone?.state, State.CANCELLED);
  const device = deviceOf('newcomer', backend.lwm2mPort, t);
  await device.client.start();
  await until(async () => {
    const { operation } = await backend.client.getQueuedOperation({ operationId: 'name' });
    return operation?.state === State.ANSWERED;
  });
  const { operation } = await backend.client.getQueuedOperation({ operationId: 'name' });
  assert.match(operation?.senmlJson ?? '', /sefleet/);
  assert.equal(device.reboots, 0);
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail('the condition did not come true in fifteen seconds');
}
