/** Our device against Leshan's bootstrap server, over DTLS; it then registers with our own server. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { createCredentials } from './credentials.ts';
import { bootstrapServerClasses, buildLeshan, JavaPeer } from './java-peer.ts';
import { createDevice, freePorts, runtime, startServers } from './our-sides.ts';

const missing = buildLeshan() ?? (bootstrapServerClasses() === undefined ? notGiven() : undefined);
const options = missing === undefined ? {} : { skip: missing };
after(() => runtime.close());

/** Maven Central has every part of Leshan 2 but this one. */
function notGiven(): string {
  return 'SEFLEET_LESHAN_BOOTSTRAP has to be a class path of leshan-lwm2m-bsserver and leshan-tl-cf-bsserver-coap';
}

describe("Leshan's bootstrap server", () => {
  for (const mode of ['psk', 'rpk', 'x509'] as const) {
    it(`discovers our device, writes its accounts and finishes, with ${mode}`, options, async () => {
      const credentials = await createCredentials(mode, 'ours');
      const ours = await startServers(credentials);
      const [coap, coaps] = await freePorts(2);
      const management = `coaps://127.0.0.1:${ours.managementPort}`;
      const args = [String(coap), String(coaps), management, 'ours', ...credentials.javaServer];
      const peer = new JavaPeer('BootstrapPeer', args);
      const uri = `coaps://127.0.0.1:${coaps}`;
      const { client, tree } = createDevice({
        name: 'ours',
        uri,
        settings: credentials.client,
        bootstrap: true,
      });
      try {
        await peer.line(/^ready/);
        await client.start();
        await peer.line(/^finished ours/);
        assert.match(await peer.line(/^answer .*Discover/), /CONTENT/);
        assert.equal(tree.instance(0, 0)?.get(1), true, 'the account of the bootstrap server stays');
        assert.equal(tree.instance(0, 1)?.get(0), management);
        assert.equal(tree.instance(1, 0)?.get(0), 101);
        assert.equal(ours.server.device('ours').registration.lifetimeSeconds, 300);
      } finally {
        await client.stop();
        await peer.stop();
        await ours.close();
      }
    });
  }
});
