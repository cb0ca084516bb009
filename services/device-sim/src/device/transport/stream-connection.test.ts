import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import { ObjectTree, omaModels, type SecurityAccount } from '@sefleet/lwm2m';
import type { ConnectRequest, Lwm2mConnection } from '@sefleet/lwm2m-coap';
import type { StreamConnection, StreamHandlers } from '@sefleet/runtime';
import { SimRuntime } from '@sefleet/runtime/sim';
import { connectDeviceStream } from './stream-connection.ts';
import { alertOf } from './tls-alerts.ts';

const ACCOUNT: SecurityAccount = {
  instanceId: 1,
  uri: 'coap+tcp://10.0.0.1',
  bootstrap: false,
  mode: 3,
  publicKeyOrIdentity: new Uint8Array(0),
  serverPublicKey: new Uint8Array(0),
  shortServerId: 1,
  holdOffSeconds: 0,
  accountTimeoutSeconds: 0,
  sni: undefined,
  certificateUsage: undefined,
  matchingType: undefined,
};
/** A Capabilities and Settings Message without options (RFC 8323 §5.3). */
const CSM = Uint8Array.of(0x00, 0xe1);
const PEER = { key: 'one', address: '10.0.0.1', port: 5683, identity: { kind: 'none' } } as const;

/** A connection to a server that says only what the test makes it say. */
class ScriptedServer {
  readonly runtime = new SimRuntime(1);
  readonly lost: string[] = [];
  readonly failures: boolean[] = [];
  #handlers: StreamHandlers | undefined;
  closed = false;

  /** How it ended; undefined while it is under way. */
  outcome: Lwm2mConnection | string | undefined;

  async connect(): Promise<void> {
    connectDeviceStream(
      {
        runtime: this.runtime,
        openStream: () => Promise.resolve(this.#connection()),
        cardOf: () => undefined,
        sessionCertificateMs: 1000,
        streamEvents: { secured: () => undefined, failed: (secured) => this.failures.push(secured) },
      },
      this.#request(),
      { address: '10.0.0.1', port: 5683 },
      false,
    ).then(
      (connection) => (this.outcome = connection),
      (error: unknown) => (this.outcome = isSefleetError(error) ? describe(error) : String(error)),
    );
    await this.runtime.advance(1);
  }

  say(data: Uint8Array): void {
    this.#handlers?.data(data);
  }

  hangUp(error?: Error): void {
    this.#handlers?.closed(error);
  }

  #request(): ConnectRequest {
    return {
      endpointName: 'meter-1',
      account: ACCOUNT,
      tree: new ObjectTree([], {}, omaModels()),
      handler: () => ({ code: 0x45 }),
      lost: (reason) => void this.lost.push(reason),
    };
  }

  #connection(): StreamConnection {
    return {
      peer: PEER,
      listen: (handlers) => void (this.#handlers = handlers),
      write: () => true,
      writable: () => Promise.resolve(),
      close: () => void (this.closed = true),
    };
  }
}

function describe({ code, context }: { code: string; context: Readonly<Record<string, unknown>> }): string {
  const { alert } = context;
  return typeof alert === 'number' ? `${code} ${alert}` : code;
}

/** A server that was connected to, after `script`; before it nothing has been decided. */
async function connected(script: (server: ScriptedServer) => unknown): Promise<ScriptedServer> {
  const server = new ScriptedServer();
  await server.connect();
  assert.equal(server.outcome, undefined, 'connected before the server spoke');
  await script(server);
  await server.runtime.advance(1);
  return server;
}

test('a connection counts when the server has spoken, and is lost when it ends by itself', async () => {
  const server = await connected((one) => one.say(CSM));
  assert.ok(typeof server.outcome === 'object');
  assert.deepEqual([server.lost, server.failures], [[], []]);
  server.hangUp();
  assert.deepEqual(server.lost, ['closed']);
});

test('a connection that the device ends is not lost', async () => {
  const server = await connected((one) => one.say(CSM));
  assert.ok(typeof server.outcome === 'object');
  await server.outcome.close();
  server.hangUp();
  assert.deepEqual([server.closed, server.lost], [true, []]);
});

test('a server that says nothing is given up and hung up on', async () => {
  const server = await connected((one) => one.runtime.advance(10_001));
  assert.equal(server.outcome, 'SIM_CONNECTION_REFUSED');
  assert.deepEqual([server.failures, server.closed, server.lost], [[false], true, []]);
});

test('a server that ends the connection without a word is no server, and its alert is told', async () => {
  const silent = await connected((one) => one.hangUp());
  assert.equal(silent.outcome, 'SIM_CONNECTION_REFUSED');
  assert.deepEqual([silent.failures, silent.lost], [[false], []]);
  const error = Object.assign(new RangeError('alert'), { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' });
  const alerted = await connected((one) => one.hangUp(error));
  assert.equal(alerted.outcome, 'SIM_CONNECTION_REFUSED 48');
});

test("alerts are told by number, the peer's and our own", () => {
  const withCode = (code: string): Error => Object.assign(new RangeError('x'), { code });
  assert.equal(alertOf(withCode('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')), 48);
  assert.equal(alertOf(withCode('ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE')), 40);
  assert.equal(alertOf(withCode('ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE')), 40);
  assert.equal(alertOf(withCode('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')), 116);
  assert.equal(alertOf(withCode('SELF_SIGNED_CERT_IN_CHAIN')), 48);
  assert.equal(alertOf(withCode('CERT_HAS_EXPIRED')), 45);
  assert.equal(alertOf(withCode('ECONNREFUSED')), undefined);
  assert.equal(alertOf('nothing'), undefined);
});
