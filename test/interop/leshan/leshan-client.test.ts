/** Leshan's client against our bootstrap and management servers, over DTLS. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Lwm2mPath } from '@sefleet/lwm2m';
import { createCredentials } from './credentials.ts';
import { buildLeshan, JavaPeer } from './java-peer.ts';
import { runtime, startServers } from './our-sides.ts';

const missing = buildLeshan();
const options = missing === undefined ? {} : { skip: missing };
after(() => runtime.close());

const path = (text: string): Lwm2mPath => Lwm2mPath.parse(text);

describe('Leshan 2.0.0-M18 as a client', () => {
  for (const mode of ['psk', 'rpk', 'x509'] as const) {
    it(`bootstraps, registers, sends, updates and answers with ${mode}`, options, async () => {
      const credentials = await createCredentials(mode, 'theirs');
      const ours = await startServers(credentials);
      const uri = `coaps://127.0.0.1:${ours.bootstrapPort}`;
      const peer = new JavaPeer('ClientPeer', [uri, 'theirs', ...credentials.javaClient]);
      try {
        await peer.line(/^bootstrapped/);
        await peer.line(/^registered/);
        await peer.line(/^send /);
        await peer.line(/^updated/);
        // Its own account was told apart by Bootstrap-Discover.
        assert.ok(ours.findings[0]?.links?.some(({ target }) => target.startsWith('/0/')));
        assert.equal(ours.sent[0]?.[0]?.value, 'Eclipse Leshan');
        const device = ours.server.device('theirs');
        const read = await device.read(path('/3/0'));
        assert.ok(read.entries.some(({ value }) => value === 'Eclipse Leshan'));
        const composite = await device.readComposite([path('/3/0/0'), path('/1/0/1')]);
        assert.deepEqual(
          composite.entries.map(({ value }) => value),
          ['Eclipse Leshan', 300],
        );
        assert.equal((await device.discover(path('/3'))).success, true);
        assert.equal((await device.observe([path('/3/0/0')])).success, true);
        assert.equal((await device.observe([path('/3/0/0'), path('/3/0/1')])).success, true);
        const lifetime = path('/1/0/1');
        const write = await device.write(lifetime, [{ path: lifetime, value: 600 }], 'replace');
        assert.equal(write.success, true);
      } finally {
        await peer.stop();
        await ours.close();
      }
    });
  }
});
