import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CODE } from '@sefleet/coap';
import { enablerObjects, ObjectTree, omaModels } from '@sefleet/lwm2m';
import type { SecurityAccount } from '@sefleet/lwm2m';
import type { Lwm2mTransport } from '@sefleet/lwm2m-coap';
import { createFirmwareSource } from './firmware-source.ts';

const models = omaModels();
const [NOSEC, PSK, CERTIFICATE] = [3, 0, 2];

/** A device with those Security instances; the management account is the one with short server id 101. */
function source(...accounts: readonly (readonly [uri: string, mode: number, bootstrap?: boolean])[]) {
  const tree = new ObjectTree(enablerObjects(models), undefined, models);
  for (const [id, [uri, mode, bootstrap = false]] of accounts.entries()) {
    tree.require(0).add(id, [
      [0, uri],
      [1, bootstrap],
      [2, mode],
      [10, 101 + id],
    ]);
  }
  tree.require(1).add(0, [
    [0, 101],
    [1, 300],
    [7, 'U'],
  ]);
  let used: SecurityAccount | undefined;
  const transport: Lwm2mTransport = {
    connect: ({ account }) => {
      used = account;
      return Promise.reject(new RangeError('far enough'));
    },
  };
  const download = createFirmwareSource('dev', tree, transport);
  return async (uri: string): Promise<string> => {
    await assert.rejects(download(uri, AbortSignal.timeout(1000)), RangeError);
    assert.ok(used);
    return `${used.instanceId} ${used.mode} ${used.uri}`;
  };
}

test('a repository that a Security instance names is met with that account', async () => {
  const accountUsed = source(
    ['coaps://10.0.0.1', PSK],
    ['coaps://repository.example:6000', CERTIFICATE],
    ['coaps://repository.example', PSK],
    ['coaps://bootstrap.example', PSK, true],
    ['coap://plain.example', NOSEC],
    ['no uri at all', PSK],
  );
  for (const [uri, account] of [
    ['coaps://repository.example:6000/a.fw', '1 2 coaps://repository.example:6000/'],
    ['coaps://repository.example/a.fw?x=1', '2 0 coaps://repository.example/'],
    ['coaps://REPOSITORY.example:7000/a.fw', '1 2 coaps://repository.example:7000/'],
    ['coaps+tcp://repository.example:6000/a.fw', '1 2 coaps+tcp://repository.example:6000/'],
    ['coaps://elsewhere.example/a.fw', '0 0 coaps://elsewhere.example/'],
    ['coaps://bootstrap.example/a.fw', '0 0 coaps://bootstrap.example/'],
    ['coaps://plain.example/a.fw', '0 0 coaps://plain.example/'],
  ] as const) {
    assert.equal(await accountUsed(uri), account);
  }
});

test('without security a repository is met without any, over UDP and over TCP', async () => {
  const accountUsed = source(['coaps://10.0.0.1', PSK], ['coaps://repository.example', PSK]);
  for (const scheme of ['coap', 'coap+tcp'])
    assert.equal(
      await accountUsed(`${scheme}://repository.example/a.fw`),
      `0 3 ${scheme}://repository.example/`,
    );
});

test('a device without a management account fetches nothing', async () => {
  const tree = new ObjectTree(enablerObjects(models), undefined, models);
  const transport: Lwm2mTransport = { connect: () => Promise.reject(new RangeError(String(CODE.NOT_FOUND))) };
  const download = createFirmwareSource('dev', tree, transport);
  await assert.rejects(download('coap://10.0.0.1/a', AbortSignal.timeout(1000)), {
    code: 'SIM_ACCOUNT_UNUSABLE',
  });
});
