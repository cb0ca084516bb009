import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import type { StreamConnection, StreamHandlers } from '@sefleet/runtime';
import { SimRuntime } from '@sefleet/runtime/sim';
import { createTableAccess, LockTable, RacsServerSession, serveRacsConnection } from './index.ts';
import type { AccessTables, RacsServerContext, RacsSessionSummary, ServedSecureElement } from './index.ts';

const SILENCE_MS = 60_000;

/** One card; what it is asked, and what it answers. */
class Element implements ServedSecureElement {
  readonly seen: string[] = [];
  powered = false;
  answer: (apdu: string) => string | Promise<string> = () => '9000';
  powerOn(): Uint8Array {
    this.powered = true;
    return fromHex('3b00');
  }
  reset(): Uint8Array {
    return fromHex('3b00');
  }
  async transmit(apdu: Uint8Array): Promise<Uint8Array> {
    this.seen.push(toHex(apdu));
    return fromHex(await this.answer(toHex(apdu)));
  }
  powerOff(): void {
    this.powered = false;
  }
}

function world(tables: Partial<AccessTables> = {}) {
  const element = new Element();
  const present = new Map([['card', element]]);
  const context: RacsServerContext = {
    directory: { seids: () => present.keys(), find: (seid) => present.get(seid) },
    access: createTableAccess({ users: { '*': ['card'] }, ...tables }),
    locks: new LockTable(),
  };
  return { context, element, present };
}

/** A served connection, its client's hand, and how it ended. */
function connect(context: RacsServerContext, runtime = new SimRuntime(1)) {
  let handlers: StreamHandlers | undefined;
  let written = '';
  const ends: RacsSessionSummary[] = [];
  const connection: StreamConnection = {
    peer: { key: 'memory', address: '', port: 0, identity: { kind: 'none' } },
    listen: (given) => {
      handlers = given;
    },
    write: (data) => {
      written += Buffer.from(data).toString('latin1');
      return true;
    },
    writable: () => Promise.resolve(),
    close: () => undefined,
  };
  const options = { runtime, silenceMs: SILENCE_MS, ended: (end: RacsSessionSummary) => ends.push(end) };
  serveRacsConnection(connection, context, 'mallory', options);
  return {
    runtime,
    ends,
    send: (text: string) => handlers?.data(Buffer.from(text, 'latin1')),
    hangUp: () => handlers?.closed(),
    said: () => written,
  };
}

/** Lets everything run that does not wait for time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

async function ask(session: RacsServerSession, ...lines: readonly string[]): Promise<readonly string[]> {
  await session.receive('BEGIN');
  for (const line of lines) await session.receive(line);
  return session.receive('END');
}

test('a card that says MORE for ever is asked a bounded number of times', async () => {
  const { context, element } = world();
  const session = new RacsServerSession(context, 'mallory');
  const answer = await ask(session, 'POWERON card', 'APDU card 00A40400 MORE=90 FETCH=00A4040C');
  assert.match(answer.at(-2) ?? '', /^-706 002 response overflow/u);
  assert.ok(element.seen.length <= 4097);
});

test('a silent client, also one that sends bytes and never a line, loses its session and its card', async () => {
  const { context, element } = world();
  const client = connect(context);
  client.send('BEGIN x\r\nPOWERON card\r\n');
  await settle();
  assert.ok(element.powered);
  for (let i = 0; i < 10; i++) {
    await client.runtime.advance(SILENCE_MS / 8);
    client.send('E');
  }
  assert.deepEqual(client.ends, [{ commonName: 'mallory', end: 'silent', commands: 1, refused: 0 }]);
  assert.ok(!element.powered);
  const next = new RacsServerSession(context, 'alice');
  assert.match((await ask(next, 'POWERON card')).join(), /\+008 001/u);
});

test('a client that sends whole lines in time keeps its session', async () => {
  const { context, element } = world();
  const client = connect(context);
  client.send('BEGIN x\r\nPOWERON card\r\n');
  for (let i = 0; i < 10; i++) {
    await client.runtime.advance(SILENCE_MS / 2);
    client.send('ECHO x\r\n');
  }
  await settle();
  assert.deepEqual(client.ends, []);
  assert.ok(element.powered);
  client.hangUp();
  assert.deepEqual(client.ends, [{ commonName: 'mallory', end: 'closed', commands: 11, refused: 0 }]);
  assert.ok(!element.powered);
});

test('lines that wait for a slow card are bounded in number and in bytes', async () => {
  const { context, element } = world();
  element.answer = () => new Promise(() => {});
  const many = connect(context);
  many.send(`BEGIN x\r\nPOWERON card\r\nAPDU card 00A40400\r\n${'ECHO x\r\n'.repeat(4200)}`);
  assert.equal(many.ends[0]?.end, 'flood');
  const large = connect(context);
  large.send('BEGIN x\r\nPOWERON card\r\nAPDU card 00A40400\r\n');
  await settle();
  const line = `ECHO ${'x'.repeat(130_000)}\r\n`;
  for (let i = 0; i < 40 && large.ends.length === 0; i++) large.send(line);
  assert.equal(large.ends[0]?.end, 'flood');
  const long = connect(context);
  long.send('x'.repeat(140_000));
  assert.equal(long.ends[0]?.end, 'line-too-long');
});

test('what is under way when a session ends asks the card nothing more: it may be another’s by then', async () => {
  const { context, element } = world();
  const first = Promise.withResolvers<string>();
  element.answer = (apdu) => (apdu === '00a40400' ? first.promise : '9000');
  const client = connect(context);
  client.send('BEGIN\r\nPOWERON card\r\nAPDU card 00A40400 MORE=61 FETCH=00C00000\r\n');
  await settle();
  client.hangUp();
  first.resolve('6110');
  await settle();
  assert.deepEqual(element.seen, ['00a40400']);
});

test('a card whose device is gone when its session ends is powered off and free', async () => {
  const { context, element, present } = world();
  const client = connect(context);
  client.send('BEGIN\r\nPOWERON card\r\n');
  await settle();
  present.clear();
  client.hangUp();
  assert.ok(!element.powered);
});

test('a user of one application reaches no other through a logical channel that it opens', async () => {
  const { context, element } = world({ applications: { card: { A0000005590010: ['mallory'] } } });
  element.answer = (apdu) => (apdu === '0070000001' ? '019000' : '9000');
  const session = new RacsServerSession(context, 'mallory');
  await ask(session, 'POWERON card', 'APDU card 00A4040007A0000005590010', 'APDU card 00CB0000');
  assert.equal(element.seen.length, 2);
  // The new channel has the card's default on it, the Issuer Security Domain.
  const answer = await ask(session, 'APDU card 0070000001', 'APDU card 8150000008000102030405060700');
  assert.match(answer.join(), /-706 002 no application is selected/u);
  assert.equal(element.seen.length, 3);
  await ask(session, 'APDU card 01A4040007A0000005590010', 'APDU card 81CB0000', 'APDU card 00CB0000');
  assert.equal(element.seen.length, 6);
  const other = await ask(session, 'APDU card 01A4040008A000000151000000');
  assert.match(other.join(), /-706 001 the application is not for this user/u);
});

test('a user whose name every object has is no user', () => {
  const access = createTableAccess({ users: { alice: ['card'] } });
  for (const name of ['constructor', '__proto__', 'toString']) assert.ok(!access.mayUse(name, 'card'));
});

test('a long request of one client lets others have their turn', async () => {
  const { context } = world();
  const runtime = new SimRuntime(1);
  const busy = connect(context, runtime);
  busy.send(`BEGIN\r\n${'ECHO x\r\n'.repeat(900)}END\r\n`);
  const other = connect(context, runtime);
  other.send('BEGIN\r\nECHO y\r\nEND\r\n');
  await settle();
  assert.match(other.said(), /y/u);
  assert.equal(busy.said(), '');
  for (let i = 0; i < 100 && busy.said() === ''; i++) {
    await runtime.advance(1);
    await settle();
  }
  assert.match(busy.said(), /\+009 900 x/u);
});
