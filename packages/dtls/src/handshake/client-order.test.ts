import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { AlertDescription, ExtensionType, HandshakeType } from '../constants.ts';
import { ScriptedServer } from '../testing/scripted-server.ts';
import { createWorld, PSK, type World } from '../testing/simulated-world.ts';

const ADDRESS = '10.0.0.8';
const PORT = 5684;
const NO_BYTES = new Uint8Array(0);

/** What model-learning fuzzers answer to DTLS clients, one step each. */
const STEPS = {
  helloVerifyRequest: (server: ScriptedServer) => server.helloVerifyRequest(),
  serverHello: (server: ScriptedServer) => server.serverHello(),
  serverKeyExchange: (server: ScriptedServer) =>
    server.message(HandshakeType.server_key_exchange, Uint8Array.of(0, 0)),
  certificate: (server: ScriptedServer) => server.message(HandshakeType.certificate, Uint8Array.of(0, 0, 0)),
  certificateRequest: (server: ScriptedServer) =>
    server.message(HandshakeType.certificate_request, Uint8Array.of(1, 64, 0, 2, 4, 3, 0, 0)),
  serverHelloDone: (server: ScriptedServer) => server.message(HandshakeType.server_hello_done, NO_BYTES),
  helloRequest: (server: ScriptedServer) => server.message(HandshakeType.hello_request, NO_BYTES),
  changeCipherSpec: (server: ScriptedServer) => server.changeCipherSpec(),
  finished: (server: ScriptedServer) => server.finished(),
  plainFinished: (server: ScriptedServer) => server.finished(true),
  data: (server: ScriptedServer) => server.data('data'),
} as const;

type Step = keyof typeof STEPS;

const HONEST: readonly Step[] = ['serverHello', 'serverHelloDone', 'changeCipherSpec', 'finished'];

async function play(steps: readonly ((server: ScriptedServer) => void)[], world: World = createWorld()) {
  const server = new ScriptedServer(world, ADDRESS, PORT);
  let outcome: unknown = 'pending';
  const suite = 'TLS_PSK_WITH_AES_128_CCM_8';
  world.client.endpoint
    .connect(ADDRESS, PORT, { psk: PSK, cipherSuites: [suite], serverName: 'meter.example' })
    .then(
      () => (outcome = 'session'),
      (error: unknown) => (outcome = isSefleetError(error) ? error.context['reason'] : error),
    );
  await world.runtime.advance(10);
  for (const step of steps) {
    step(server);
    await world.runtime.advance(10);
  }
  const reached = outcome;
  await world.runtime.advance(400_000);
  assert.notEqual(outcome, 'pending');
  return { server, outcome: reached, world };
}

const named = (steps: readonly Step[]) => steps.map((step) => STEPS[step]);

describe('a client takes handshake messages in one order only', () => {
  for (const [what, steps] of [
    ['the honest order', HONEST],
    ['with a cookie first', ['helloVerifyRequest', ...HONEST]],
    [
      'with an identity hint',
      ['serverHello', 'serverKeyExchange', 'serverHelloDone', 'changeCipherSpec', 'finished'],
    ],
    [
      'with a HelloRequest in between, which is ignored',
      ['serverHello', 'helloRequest', 'serverHelloDone', 'changeCipherSpec', 'finished'],
    ],
  ] as const) {
    test(`${what} makes a session`, async () => {
      const { outcome, world } = await play([...named(steps), STEPS.data]);
      assert.equal(outcome, 'session');
      assert.deepEqual(
        world.client.log.datagrams.map(({ text }) => text),
        ['data'],
      );
    });
  }

  test('the same ClientHello comes again with the cookie', async () => {
    const { server } = await play(named(['helloVerifyRequest']));
    assert.deepEqual(Buffer.from(server.hello?.cookie ?? []), Buffer.from([1, 2, 3]));
  });

  for (const [what, steps] of [
    ['Finished without ChangeCipherSpec', ['serverHello', 'serverHelloDone', 'finished']],
    ['an unprotected Finished', ['serverHello', 'serverHelloDone', 'changeCipherSpec', 'plainFinished']],
    [
      'ChangeCipherSpec before ServerHelloDone',
      ['serverHello', 'changeCipherSpec', 'serverHelloDone', 'finished'],
    ],
    ['ServerHello twice', ['serverHello', ...HONEST]],
    ['no ServerHello', ['serverHelloDone', 'changeCipherSpec', 'finished']],
    [
      'a certificate in a PSK handshake',
      ['serverHello', 'certificate', 'serverHelloDone', 'changeCipherSpec', 'finished'],
    ],
    [
      'a CertificateRequest in a PSK handshake',
      ['serverHello', 'certificateRequest', 'serverHelloDone', 'changeCipherSpec', 'finished'],
    ],
    [
      'ServerKeyExchange twice',
      [
        'serverHello',
        'serverKeyExchange',
        'serverKeyExchange',
        'serverHelloDone',
        'changeCipherSpec',
        'finished',
      ],
    ],
    [
      'a cookie after ServerHello',
      ['serverHello', 'helloVerifyRequest', 'serverHelloDone', 'changeCipherSpec', 'finished'],
    ],
    [
      'cookies without end',
      ['helloVerifyRequest', 'helloVerifyRequest', 'helloVerifyRequest', 'helloVerifyRequest', ...HONEST],
    ],
  ] as const) {
    test(`${what}: no session`, async () => {
      const { outcome, world } = await play(named(steps));
      assert.notEqual(outcome, 'session');
      assert.equal(world.client.endpoint.sessionCount, 0);
    });
  }

  test('for any order: a session only behind an honest one', async () => {
    const names = Object.keys(STEPS) as Step[]; // the keys of STEPS and nothing else
    const orders = fc.oneof(
      fc.array(fc.constantFrom(...names), { maxLength: 7 }),
      fc
        .tuple(fc.nat(HONEST.length), fc.nat(1), fc.option(fc.constantFrom(...names), { nil: undefined }))
        .map(([at, cut, extra]) => HONEST.toSpliced(at, cut, ...(extra === undefined ? [] : [extra]))),
    );
    await fc.assert(
      fc.asyncProperty(orders, async (steps) => {
        const { outcome, world } = await play(named(steps));
        if (outcome === 'session') assert.ok(isHonest(steps), steps.join());
        await world.client.endpoint.close();
        await world.runtime.advance(2000);
        assert.equal(world.runtime.activeTimers, 0);
      }),
      { numRuns: 300 },
    );
  });
});

/**
 * HelloRequest and untimely ChangeCipherSpec or data change nothing; cookies come first; Finished may
 * overtake.
 */
function isHonest(steps: readonly Step[]): boolean {
  const core: Step[] = [];
  for (const step of steps) {
    if (step === 'helloRequest' || step === 'data') continue;
    if (step === 'helloVerifyRequest' && core.length === 0) continue;
    if (step === 'changeCipherSpec' && !core.includes('serverHelloDone')) continue;
    if (step === 'serverKeyExchange' && core.join() === 'serverHello') continue;
    if (core.includes('changeCipherSpec') && core.includes('finished')) break;
    core.push(step);
  }
  const end = new Set(core.slice(2));
  const changesKeys = end.has('changeCipherSpec') && end.has('finished') && end.size === 2;
  return core.slice(0, 2).join() === 'serverHello,serverHelloDone' && changesKeys;
}

describe('a client holds ServerHello against its offer', () => {
  for (const [what, more, reason, alert] of [
    ['a suite', { cipherSuite: 0xc0a4 }, 'illegalParameter', AlertDescription.illegal_parameter],
    [
      'a compression method',
      { compressionMethod: 1 },
      'illegalParameter',
      AlertDescription.illegal_parameter,
    ],
    ['a version', { version: 0xfeff }, 'protocolVersion', AlertDescription.protocol_version],
    [
      'an extension',
      { extensions: new Map([[ExtensionType.supported_groups, NO_BYTES]]) },
      'illegalParameter',
      AlertDescription.unsupported_extension,
    ],
    [
      'a renegotiation',
      { extensions: new Map([[ExtensionType.renegotiation_info, Uint8Array.of(1, 0)]]) },
      'illegalParameter',
      AlertDescription.handshake_failure,
    ],
    [
      'a record size limit below 64',
      { extensions: new Map([[ExtensionType.record_size_limit, Uint8Array.of(0, 63)]]) },
      'illegalParameter',
      AlertDescription.illegal_parameter,
    ],
  ] as const) {
    test(`${what} that it cannot accept ends the handshake with its alert`, async () => {
      const world = createWorld({ client: { recordSizeLimit: 1024 } });
      const { outcome, server } = await play([(scripted) => scripted.serverHello(more)], world);
      assert.equal(outcome, reason);
      assert.deepEqual(server.alerts, [alert]);
    });
  }

  test('a broken message is a decode error', async () => {
    const { outcome, server } = await play([
      (scripted) => scripted.message(HandshakeType.server_hello, Uint8Array.of(1)),
    ]);
    assert.equal(outcome, 'decodeError');
    assert.deepEqual(server.alerts, [AlertDescription.decode_error]);
  });

  test('a fatal alert ends the handshake, a warning does not', async () => {
    const warned = await play([
      (scripted) => scripted.alert(1, AlertDescription.unrecognized_name),
      ...named(HONEST),
    ]);
    assert.equal(warned.outcome, 'session');
    const refused = await play([(scripted) => scripted.alert(2, AlertDescription.handshake_failure)]);
    assert.equal(refused.outcome, 'alertReceived');
  });

  test('an extended master secret is insisted on where the settings say so', async () => {
    const world = createWorld();
    const server = new ScriptedServer(world, ADDRESS, PORT);
    const settings = {
      psk: PSK,
      requireExtendedMasterSecret: true,
      cipherSuites: ['TLS_PSK_WITH_AES_128_CCM_8'],
    } as const;
    const failed = assert.rejects(world.client.endpoint.connect(ADDRESS, PORT, settings), {
      context: { reason: 'insufficientSecurity', alert: 40 },
    });
    await world.runtime.advance(10);
    server.serverHello({ extensions: new Map() });
    await world.runtime.advance(10);
    await failed;
  });
});
