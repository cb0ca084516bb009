import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeCertificate } from '../codec/certificate.ts';
import { AlertDescription, ContentType, HandshakeType } from '../constants.ts';
import { ScriptedClient } from '../testing/scripted-client.ts';
import { closeWorld, createWorld, type World } from '../testing/simulated-world.ts';

/** What model-learning fuzzers send to DTLS servers, one step each. */
const STEPS = {
  clientHello: (client: ScriptedClient) => client.clientHello(),
  clientKeyExchange: (client: ScriptedClient) => client.clientKeyExchange(),
  certificate: (client: ScriptedClient) =>
    client.message(HandshakeType.certificate, encodeCertificate({ kind: 'x509', chain: [] })),
  certificateVerify: (client: ScriptedClient) =>
    client.message(HandshakeType.certificate_verify, Uint8Array.of(4, 3, 0, 0)),
  changeCipherSpec: (client: ScriptedClient) => client.changeCipherSpec(),
  finished: (client: ScriptedClient) => client.finished(),
  plainFinished: (client: ScriptedClient) => client.finished(true),
  data: (client: ScriptedClient) => client.sendSecure(ContentType.application_data, Buffer.from('data')),
  plainData: (client: ScriptedClient) => client.sendPlain(ContentType.application_data, Buffer.from('data')),
  serverHello: (client: ScriptedClient) => client.message(HandshakeType.server_hello, new Uint8Array(38)),
  helloRequest: (client: ScriptedClient) => client.message(HandshakeType.hello_request, new Uint8Array(0)),
} as const;

type Step = keyof typeof STEPS;

/** The one order that makes a session. */
const HONEST: readonly Step[] = [
  'clientHello',
  'clientHello',
  'clientKeyExchange',
  'changeCipherSpec',
  'finished',
];

async function play(world: World, steps: readonly Step[]): Promise<ScriptedClient> {
  const client = new ScriptedClient(world);
  for (const step of steps) {
    STEPS[step](client);
    await client.turn();
  }
  return client;
}

describe('a server takes handshake messages in one order only', () => {
  test('the honest order makes a session', async () => {
    const world = createWorld();
    const client = await play(world, [...HONEST, 'data']);
    assert.equal(world.server.endpoint.sessionCount, 1);
    assert.deepEqual(client.opened, [ContentType.handshake, ContentType.application_data]);
    await closeWorld(world);
  });

  const refused: readonly [string, readonly Step[]][] = [
    [
      'ChangeCipherSpec before ClientKeyExchange',
      ['clientHello', 'clientHello', 'changeCipherSpec', 'clientKeyExchange', 'finished'],
    ],
    ['Finished without ChangeCipherSpec', ['clientHello', 'clientHello', 'clientKeyExchange', 'finished']],
    [
      'an unprotected Finished',
      ['clientHello', 'clientHello', 'clientKeyExchange', 'changeCipherSpec', 'plainFinished'],
    ],
    [
      'ChangeCipherSpec without ClientKeyExchange',
      ['clientHello', 'clientHello', 'changeCipherSpec', 'finished'],
    ],
    [
      'a certificate that was not asked for',
      ['clientHello', 'clientHello', 'certificate', 'clientKeyExchange', 'changeCipherSpec', 'finished'],
    ],
    [
      'CertificateVerify without a certificate',
      [
        'clientHello',
        'clientHello',
        'clientKeyExchange',
        'certificateVerify',
        'changeCipherSpec',
        'finished',
      ],
    ],
    [
      'ClientKeyExchange twice',
      [
        'clientHello',
        'clientHello',
        'clientKeyExchange',
        'clientKeyExchange',
        'changeCipherSpec',
        'finished',
      ],
    ],
    ['ClientKeyExchange without a cookie', ['clientKeyExchange', 'changeCipherSpec', 'finished']],
    [
      "a server's message",
      ['clientHello', 'clientHello', 'serverHello', 'clientKeyExchange', 'changeCipherSpec', 'finished'],
    ],
    [
      'HelloRequest from a client',
      ['clientHello', 'clientHello', 'helloRequest', 'clientKeyExchange', 'changeCipherSpec', 'finished'],
    ],
  ];
  for (const [what, steps] of refused) {
    test(`${what}: no session`, async () => {
      const world = createWorld();
      await play(world, steps);
      assert.equal(world.server.endpoint.sessionCount, 0);
      assert.equal(world.server.log.datagrams.length, 0);
      await world.runtime.advance(400_000);
      await closeWorld(world);
    });
  }

  test('for any order: a session only behind the honest one, and nothing is left of the others', async () => {
    const names = Object.keys(STEPS) as Step[]; // the keys of STEPS and nothing else
    const orders = fc.oneof(
      fc.array(fc.constantFrom(...names), { maxLength: 8 }),
      // Close to honest ones: one step left out, repeated or put in between.
      fc
        .tuple(fc.nat(HONEST.length), fc.nat(1), fc.option(fc.constantFrom(...names), { nil: undefined }))
        .map(([at, cut, extra]) => HONEST.toSpliced(at, cut, ...(extra === undefined ? [] : [extra]))),
    );
    await fc.assert(
      fc.asyncProperty(orders, async (steps) => {
        const world = createWorld();
        await play(world, steps);
        if (world.server.endpoint.sessionCount > 0) assert.ok(isHonest(steps), steps.join());
        await world.runtime.advance(400_000);
        await closeWorld(world);
      }),
      { numRuns: 300 },
    );
  });
});

/**
 * Data that no keys protect changes nothing, nor does ChangeCipherSpec before its time. Finished may overtake
 * ChangeCipherSpec, as datagrams do: its epoch says where it belongs, and it waits.
 */
function isHonest(steps: readonly Step[]): boolean {
  const core: Step[] = [];
  for (const step of steps) {
    if (step === 'plainData' || step === 'data') continue;
    if (step === 'changeCipherSpec' && !core.includes('clientKeyExchange')) continue;
    if (core.includes('changeCipherSpec') && core.includes('finished')) break;
    core.push(step);
  }
  const [beginning, end] = [core.slice(0, 3), new Set(core.slice(3))];
  const changesKeys = end.has('changeCipherSpec') && end.has('finished') && end.size === 2;
  return beginning.join() === HONEST.slice(0, 3).join() && changesKeys;
}

describe('an established session', () => {
  const established = async (world: World) => {
    const client = await play(world, HONEST);
    assert.equal(world.server.endpoint.sessionCount, 1);
    return client;
  };

  test('refuses renegotiation with a warning and lives on', async () => {
    const world = createWorld();
    const client = await established(world);
    client.sendSecure(ContentType.handshake, Uint8Array.from([1, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0]));
    await client.turn();
    assert.deepEqual(client.opened, [ContentType.handshake, ContentType.alert]);
    assert.equal(world.server.endpoint.counters()['renegotiationsRefused'], 1);
    client.sendSecure(ContentType.application_data, Buffer.from('data'));
    await client.turn();
    assert.equal(world.server.log.datagrams.length, 1);
  });

  test('does not hear unprotected alerts, data or ChangeCipherSpec', async () => {
    const world = createWorld();
    const client = await established(world);
    client.sendPlain(ContentType.alert, Uint8Array.of(2, AlertDescription.close_notify));
    client.sendPlain(ContentType.application_data, Buffer.from('data'));
    client.changeCipherSpec();
    await client.turn();
    assert.equal(world.server.endpoint.sessionCount, 1);
    assert.equal(world.server.log.datagrams.length, 0);
  });

  test('delivers a record once', async () => {
    const world = createWorld();
    const client = await established(world);
    assert.ok(client.records);
    const record = new Uint8Array(client.records.overhead + 4);
    client.records.seal(record, 0, ContentType.application_data, Buffer.from('once'));
    for (let i = 0; i < 3; i++) client.sendRaw(record);
    await client.turn();
    assert.deepEqual(
      world.server.log.datagrams.map(({ text }) => text),
      ['once'],
    );
    assert.equal(world.server.endpoint.counters()['dropped.replayed'], 2);
  });

  test('drops a record whose tag is wrong without a word', async () => {
    const world = createWorld();
    const client = await established(world);
    const answers = client.datagrams.length;
    client.sendRaw(
      Uint8Array.from(Buffer.from('17fefd00010000000000090018'.padEnd(13 * 2 + 24 * 2, '0'), 'hex')),
    );
    await client.turn();
    assert.equal(client.datagrams.length, answers);
    assert.equal(world.server.endpoint.counters()['dropped.forged'], 1);
    assert.equal(world.server.endpoint.sessionCount, 1);
  });

  test('repeats its last flight when the peer repeats Finished, until data shows that it came', async () => {
    const world = createWorld();
    const client = await established(world);
    const verify = Uint8Array.from([20, 0, 0, 12, 0, 3, 0, 0, 0, 0, 0, 12, ...new Uint8Array(12)]);
    client.sendSecure(ContentType.handshake, verify);
    await client.turn();
    assert.deepEqual(client.opened, [ContentType.handshake, ContentType.handshake]);
    client.sendSecure(ContentType.application_data, Buffer.from('data'));
    client.sendSecure(ContentType.handshake, verify);
    await client.turn();
    assert.deepEqual(client.opened, [
      ContentType.handshake,
      ContentType.handshake,
      ContentType.application_data,
    ]);
    await closeWorld(world);
  });

  test('ends on a fatal alert under its keys', async () => {
    const world = createWorld();
    const client = await established(world);
    client.sendSecure(ContentType.alert, Uint8Array.of(2, AlertDescription.internal_error));
    await client.turn();
    assert.deepEqual(world.server.log.closed, ['alert']);
  });

  test('ends when its sequence numbers are used up', async () => {
    const world = createWorld();
    await established(world);
    const [peer] = world.server.log.established;
    assert.ok(peer && 'records' in peer);
    Object.assign(peer.records as object, { writeSequence: 2 ** 48 }); // as after 2^48 records
    world.server.endpoint.send(Buffer.from('one too many'), peer);
    assert.deepEqual(world.server.log.closed, ['exhausted']);
  });
});
