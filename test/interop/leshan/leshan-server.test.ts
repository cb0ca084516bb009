/** Our device against Leshan's server, over DTLS. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mClient } from '@sefleet/lwm2m-coap';
import { createCredentials } from './credentials.ts';
import type { Mode } from './credentials.ts';
import { buildLeshan, JavaPeer } from './java-peer.ts';
import { createDevice, freePorts, runtime } from './our-sides.ts';
import type { DeviceOptions } from './our-sides.ts';

const missing = buildLeshan();
/** Each test tells by itself why it was left out. */
const options = missing === undefined ? {} : { skip: missing };
after(() => runtime.close());

/** A device of ours and a Leshan server that expects it; runs `use` with both registered. */
async function withServer(
  mode: Mode,
  use: (peer: JavaPeer, client: Lwm2mClient, tree: Lwm2mClient['tree']) => Promise<void>,
  more: Pick<DeviceOptions, 'binding' | 'awakeTimeMs'> = {},
): Promise<void> {
  const [coap, coaps] = await freePorts(2);
  const { client: settings, javaServer } = await createCredentials(mode, 'ours');
  const peer = new JavaPeer('ServerPeer', [String(coap), String(coaps), 'ours', ...javaServer]);
  const { client, tree } = createDevice({
    name: 'ours',
    uri: `coaps://127.0.0.1:${coaps}`,
    settings,
    ...more,
  });
  try {
    await peer.line(/^ready/);
    await client.start();
    await peer.line(/^registered ours V1_1 300|^registered ours 1\.1 300/);
    await use(peer, client, tree);
    await client.stop();
    await peer.line(/^unregistered ours/);
  } finally {
    await client.powerOff();
    await peer.stop();
  }
}

describe('Leshan 2.0.0-M18 as a server', () => {
  it('gets from our device what it asks for', options, () =>
    withServer('psk', async (peer, client, tree) => {
      await peer.line(/^asked/);
      const expected: Record<string, RegExp> = {
        'read-TLV': /CONTENT.*sefleet/,
        'read-SENML_CBOR': /CONTENT.*sefleet/,
        'read-SENML_JSON': /CONTENT.*sefleet/,
        'read-text': /CONTENT.*sefleet/,
        'read-cbor': /CONTENT/,
        'read-default': /CONTENT.*sefleet/,
        'read-instance': /CONTENT/,
        'read-security': /UNAUTHORIZED|BAD_REQUEST/,
        'write-text': /CHANGED/,
        'write-tlv': /CHANGED/,
        'write-senml': /CHANGED/,
        update: /CHANGED/,
        'write-readonly': /METHOD_NOT_ALLOWED/,
        execute: /CHANGED/,
        discover: /CONTENT/,
        attributes: /CHANGED/,
        // Access control lists are for bootstrap servers to make.
        create: /UNAUTHORIZED/,
        firmware: /CHANGED/,
        'read-composite': /CONTENT.*sefleet/,
        'write-composite': /CHANGED/,
        observe: /CONTENT/,
        'observe-composite': /CONTENT.*sefleet/,
      };
      for (const [step, pattern] of Object.entries(expected)) {
        assert.match(await peer.line(new RegExp(`^step ${step} `)), pattern);
      }
      assert.equal(tree.instance(3, 0)?.get(14), '+05:00');
      tree.instance(6, 0)?.set(0, 53.25);
      assert.match(await peer.line(/^notified \/6\/0\/0/), /53\.25/);
      tree.instance(6, 0)?.set(1, 14.5);
      assert.match(await peer.line(/^notified-composite/), /14\.5/);
      await client.send([{ path: Lwm2mPath.parse('/6/0/0'), value: 53.25, timeSeconds: 1_767_225_700 }]);
      await peer.line(/^sent 1 /);
      client.update();
      await peer.line(/^updated ours/);
    }),
  );

  for (const mode of ['rpk', 'x509'] as const) {
    it(`takes our device with ${mode}`, options, () =>
      withServer(mode, async (peer) => {
        assert.match(await peer.line(/^step read-SENML_CBOR /), /CONTENT.*sefleet/);
        await peer.line(/^asked/);
      }),
    );
  }

  it('sees our queue-mode device fall asleep and reaches it after it has woken', options, () =>
    withServer(
      'psk',
      async (peer, client) => {
        await peer.line(/^asked/);
        await peer.line(/^sleeping ours/);
        client.update();
        await peer.line(/^updated ours/);
        await peer.line(/^awake ours/);
        assert.match(await peer.line(/^step awake-read /), /CONTENT.*sefleet/);
      },
      { binding: 'UQ', awakeTimeMs: 2_000 },
    ),
  );
});
