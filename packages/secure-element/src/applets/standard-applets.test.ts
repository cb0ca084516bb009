import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex } from '@sefleet/bytes';
import {
  aid,
  aidBytes,
  deleteCommand,
  installCommand,
  installForLoadCommand,
  loadCommands,
} from '@sefleet/globalplatform';
import { RecordsClient } from '../clients/records-client.ts';
import { STANDARD_PROFILE } from '../profiles/standard-profile.ts';
import { newCard, open, select, send, sendAll, statusOf } from '../testing/card-fixture.ts';
import { encodePackage } from './package.ts';
import { STANDARD_APPLETS } from './standard-applets.ts';

test('every applet has a module of its own, and every module is in one load file of the profile', () => {
  const names = [...STANDARD_APPLETS.values()].map(({ name }) => name);
  assert.equal(new Set(names).size, 5);
  const modules = STANDARD_PROFILE.loadFiles.slice(1).flatMap((file) => file.modules);
  assert.deepEqual(modules.toSorted(), [...STANDARD_APPLETS.keys()].toSorted());
  const files = STANDARD_PROFILE.loadFiles.map((file) => file.aid);
  assert.equal(new Set(files).size, files.length);
});

for (const name of ['metering', 'vehicle diagnostics', 'vital signs']) {
  test(`${name} is installed from a load file of its own`, async () => {
    const applet = [...STANDARD_APPLETS.values()].find((program) => program.name === name);
    assert.ok(applet);
    const { module } = applet;
    const preloaded = STANDARD_PROFILE.loadFiles.find((file) => file.modules.includes(module))?.aid;
    assert.ok(preloaded);
    const card = newCard();
    const issuer = await open(card);
    const instance = aid('F07365666C656574EE');
    const install = installCommand({
      loadFile: aidBytes(preloaded),
      module: aidBytes(module),
      instance: aidBytes(instance),
      privileges: 0,
      parameters: fromHex('c900'),
    });
    await send(issuer, deleteCommand(aidBytes(preloaded)));
    assert.equal(await statusOf(issuer, install), '6a88', 'it is gone');
    await send(issuer, installForLoadCommand({ loadFile: aidBytes(preloaded) }));
    const code = encodePackage(preloaded, { version: fromHex('0200'), modules: [module] });
    await sendAll(issuer, loadCommands({ daps: [], code }));
    await send(issuer, install);
    await select(card, instance);
    const records = new RecordsClient(card.transmit, instance);
    assert.equal(records.status().closed, true, 'nobody takes its records yet');
  });
}
