import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import type { StreamConnection, StreamHandlers } from '@sefleet/runtime';
import { SimRuntime } from '@sefleet/runtime/sim';
import {
  createTableAccess,
  formatStatusLine,
  LockTable,
  parseStatusLine,
  RacsClient,
  RacsServerSession,
  serveRacsConnection,
} from './index.ts';
import type { AccessTables, RacsServerContext, ServedSecureElement } from './index.ts';

class FakeElement implements ServedSecureElement {
  readonly seen: string[] = [];
  powered = false;
  answers = new Map<string, string>();
  powerOn(): Uint8Array {
    this.powered = true;
    return fromHex('3B00');
  }
  reset(): Uint8Array {
    return fromHex('3B00');
  }
  transmit(apdu: Uint8Array): Uint8Array {
    this.seen.push(toHex(apdu));
    return fromHex(this.answers.get(toHex(apdu)) ?? '9000');
  }
  powerOff(): void {
    this.powered = false;
  }
}

function world(tables: Partial<AccessTables> = {}) {
  const elements = new Map([
    ['MySEID', new FakeElement()],
    ['OtherSEID', new FakeElement()],
    ['Hidden', new FakeElement()],
  ]);
  const context: RacsServerContext = {
    directory: { seids: () => elements.keys(), find: (seid) => elements.get(seid) },
    access: createTableAccess({ users: { alice: ['MySEID', 'OtherSEID'], bob: ['MySEID'] }, ...tables }),
    locks: new LockTable(),
  };
  const element = (seid: string): FakeElement => elements.get(seid) ?? new FakeElement();
  return { context, element };
}

async function say(session: RacsServerSession, text: string): Promise<string[]> {
  const answer: string[] = [];
  for (const line of text.split('\n')) answer.push(...(await session.receive(line)));
  return answer;
}

test('answers the request of the protocol description line for line', async () => {
  const { context } = world();
  const session = new RacsServerSession(context, 'alice');
  const answer = await say(
    session,
    'BEGIN MyLabel\nGET-VERSION APPEND\nLIST APPEND\nPOWERON MySEID APPEND\nRESET MySEID APPEND\nAPDU MySEID 00A40400074A544553543030\nEND',
  );
  assert.deepEqual(answer, [
    'BEGIN MyLabel',
    '+002 001 0.2',
    '+004 002 MySEID OtherSEID',
    '+008 003 MySEID is powered on',
    '+005 004 MySEID is reset',
    '+006 005 9000',
    'END',
  ]);
});

test('without APPEND only the last status comes back', async () => {
  const session = new RacsServerSession(world().context, 'alice');
  assert.deepEqual(await say(session, 'BEGIN\nGET-VERSION\nECHO hello world\nEND'), [
    'BEGIN',
    '+009 002 hello world',
    'END',
  ]);
  assert.deepEqual(await say(session, 'BEGIN x\nEND'), ['BEGIN x', '+001 000', 'END']);
});

test('joins what MORE announces, corrects Le once, and compares with CONTINUE', async () => {
  const { context, element } = world();
  const session = new RacsServerSession(context, 'alice');
  element('MySEID').answers = new Map([
    ['00b2010000', '6c04'],
    ['00b2010004', '010261' + '02'],
    ['00c0000002', '03049000'],
  ]);
  const script = 'BEGIN\nPOWERON MySEID\nAPDU MySEID 00B2010000 CONTINUE=9000 MORE=61 FETCH=00C00000\nEND';
  assert.deepEqual(await say(session, script), ['BEGIN', '+006 002 010203049000', 'END']);
  const failed = await say(session, 'BEGIN\nAPDU MySEID 00B20200 CONTINUE=6A82\nECHO never APPEND\nEND');
  assert.deepEqual(failed, ['BEGIN', '-006 001 9000', 'END']);
});

test('refuses before BEGIN, twice BEGIN, a long label, unknown commands and bad parameters', async () => {
  const session = new RacsServerSession(world().context, 'alice');
  assert.equal((await say(session, 'LIST'))[1], '-300 000 waiting for BEGIN');
  const code = async (line: string): Promise<string> =>
    (await say(session, `BEGIN\n${line}\nEND`))[1]?.slice(0, 4) ?? '';
  assert.equal(await code('BEGIN again'), '-301');
  assert.equal((await say(session, `BEGIN ${'x'.repeat(65)}\nLIST\nEND`))[1]?.slice(0, 4), '-301');
  assert.equal(await code('FLY'), '-100');
  assert.equal(await code('POWERON'), '-508');
  assert.equal(await code('APDU MySEID 00A4'), '-506');
  assert.equal(await code('APDU MySEID 00A4040000 SPEED=1'), '-406');
  assert.equal(await code('RESET MySEID COLD'), '-405');
  assert.equal(await code('SET-VERSION 9'), '-402');
});

test('an element belongs to the session that powered it until shut down or gone', async () => {
  const { context, element } = world();
  const [alice, bob] = [new RacsServerSession(context, 'alice'), new RacsServerSession(context, 'bob')];
  const code = async (session: RacsServerSession, line: string): Promise<string> =>
    (await say(session, `BEGIN\n${line}\nEND`))[1]?.slice(0, 4) ?? '';
  assert.equal(await code(alice, 'APDU MySEID 00A40400'), '-706');
  assert.equal(await code(alice, 'POWERON MySEID'), '+008');
  assert.equal(await code(bob, 'POWERON MySEID'), '-708');
  assert.equal(await code(bob, 'APDU MySEID 00A40400'), '-706');
  assert.equal(await code(bob, 'SHUTDOWN MySEID'), '-707');
  assert.equal(element('MySEID').powered, true);
  alice.close();
  assert.equal(element('MySEID').powered, false);
  assert.equal(await code(bob, 'POWERON MySEID'), '+008');
  assert.equal(await code(bob, 'SHUTDOWN MySEID'), '+007');
  assert.equal(await code(alice, 'POWERON MySEID'), '+008');
});

test('an element of others looks like one that does not exist', async () => {
  const { context } = world();
  const session = new RacsServerSession(context, 'bob');
  const hidden = await say(session, 'BEGIN\nPOWERON Hidden\nEND');
  const missing = await say(session, 'BEGIN\nPOWERON Nowhere\nEND');
  assert.equal(hidden[1]?.replace('Hidden', '?'), missing[1]?.replace('Nowhere', '?'));
  assert.deepEqual(await say(session, 'BEGIN\nLIST\nEND'), ['BEGIN', '+004 001 MySEID', 'END']);
});

test('filters commands by mask and applications by user', async () => {
  const { context, element } = world({
    applications: { MySEID: { A000000151: ['alice'], D276: ['bob'] } },
    denied: [{ mask: 'FCFF', prefix: '84D8' }],
  });
  const session = new RacsServerSession(context, 'alice');
  const code = async (line: string): Promise<string> =>
    (await say(session, `BEGIN\n${line}\nEND`))[1]?.slice(0, 4) ?? '';
  await code('POWERON MySEID');
  assert.equal(await code('APDU MySEID 80CA006600'), '-706');
  assert.equal(await code('APDU MySEID 00A4040003D27600'), '-706');
  assert.equal(await code('APDU MySEID 00A4040008A000000151000000'), '+006');
  assert.equal(await code('APDU MySEID 80CA006600'), '+006');
  assert.equal(await code('APDU MySEID 86D8000000'), '-706');
  assert.deepEqual(element('MySEID').seen, ['00a4040008a000000151000000', '80ca006600']);
});

test('no line makes a session throw', async () => {
  const { context } = world();
  const word = fc.constantFrom(
    'BEGIN',
    'END',
    'APDU',
    'POWERON',
    'MySEID',
    '00A4040000',
    'APPEND',
    'MORE=61',
    'FETCH=',
    'RESET',
    'WARM',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.array(word).map((words) => words.join(' ')),
          fc.string(),
        ),
        { maxLength: 30 },
      ),
      async (lines) => {
        const session = new RacsServerSession(context, 'alice');
        for (const line of lines) {
          for (const answer of await session.receive(line)) {
            assert.ok(/^(BEGIN.*|END|[+-]\d{3} \d{3}.*)$/s.test(answer));
          }
        }
        session.close();
      },
    ),
  );
});

test('status lines survive a round trip', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.nat(999),
      fc.nat(999),
      fc.stringMatching(/^[a-z0-9]{0,8}$/),
      (ok, code, line, text) => {
        assert.deepEqual(parseStatusLine(formatStatusLine({ ok, code, line, text })), {
          ok,
          code,
          line,
          text,
        });
      },
    ),
  );
});

/** Two ends of a stream in memory, delivered in later turns and cut into pieces of `size` bytes. */
function streamPair(size: number): [StreamConnection, StreamConnection] {
  const handlers: (StreamHandlers | undefined)[] = [undefined, undefined];
  const end = (own: number): StreamConnection => ({
    peer: { key: 'memory', address: '', port: 0, identity: { kind: 'none' } },
    listen: (given) => {
      handlers[own] = given;
    },
    write: (data) => {
      const copy = data.slice();
      queueMicrotask(() => {
        for (let at = 0; at < copy.length; at += size) handlers[1 - own]?.data(copy.subarray(at, at + size));
      });
      return true;
    },
    writable: () => Promise.resolve(),
    close: () => {
      handlers[0]?.closed();
      handlers[1]?.closed();
    },
  });
  return [end(0), end(1)];
}

test('client and server speak over a stream that is cut anywhere', async () => {
  for (const size of [1, 7, 4096]) {
    const { context, element } = world();
    const [clientEnd, serverEnd] = streamPair(size);
    serveRacsConnection(serverEnd, context, 'alice', { runtime: new SimRuntime(1), silenceMs: 300_000 });
    const client = new RacsClient(clientEnd);
    assert.equal(await client.version(), '0.2');
    assert.deepEqual(await client.list(), ['MySEID', 'OtherSEID']);
    await client.powerOn('MySEID');
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => client.transmit('MySEID', Uint8Array.of(0, 0xa4, 4, i))),
    );
    assert.ok(answers.every((answer) => toHex(answer) === '9000'));
    assert.deepEqual(
      element('MySEID').seen,
      Array.from({ length: 20 }, (_, i) => toHex(Uint8Array.of(0, 0xa4, 4, i))),
    );
    await assert.rejects(client.powerOn('Hidden'), (error) => isSefleetError(error, 'RACS_REFUSED'));
    client.close();
    assert.equal(element('MySEID').powered, false);
    await assert.rejects(client.version(), (error) => isSefleetError(error, 'RACS_CONNECTION_CLOSED'));
  }
});

test('a line without an end closes the connection', () => {
  const { context } = world();
  const [clientEnd, serverEnd] = streamPair(1 << 20);
  let closed = false;
  clientEnd.listen({
    data: () => {},
    closed: () => {
      closed = true;
    },
  });
  serveRacsConnection(serverEnd, context, 'alice', { runtime: new SimRuntime(1), silenceMs: 300_000 });
  clientEnd.write(new Uint8Array(200_000).fill(0x41));
  return Promise.resolve().then(() => assert.equal(closed, true));
});
