import assert from 'node:assert/strict';
import { createECDH, createHash, createHmac, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';
import { concatBytes, fromHex, toHex } from '@sefleet/bytes';
import { aidBytes, decodeResponse, decodeTlvs, findTlv, requireTlv } from '@sefleet/globalplatform';
import { iotSafePersonalisationCommands } from '../../clients/iot-safe-personalisation.ts';
import { cardWithApplet, open, sendAll, SUPPLIER, testKeys } from '../../testing/card-fixture.ts';
import { BRAINPOOL_P256R1, P256, subjectPublicKeyInfo, verifyMessage } from './curves.ts';
import { IOT_SAFE_INSTANCE, IOT_SAFE_LOAD_FILE, IOT_SAFE_MODULE } from './identifiers.ts';
import { CONTAINER_TYPE } from './iot-safe-protocol.ts';
import { tlsPrfSha256 } from './tls-prf.ts';

// The commands of these tests are those that three client libraries in the field send, as their sources build
// them: wolfSSL's port, Thales' middleware and Orange's APDU library.

const KEYS = testKeys('supplier');
const TEXT = Buffer.from('what the handshake has said so far');
const DIGEST = createHash('sha256').update(TEXT).digest();
const PAIR = { SIGN: '02', ECDH: '03', RSA: '06', BRAINPOOL: '07' } as const;

async function iotSafeCard() {
  const place = { loadFile: IOT_SAFE_LOAD_FILE, module: IOT_SAFE_MODULE, instance: IOT_SAFE_INSTANCE };
  const card = await cardWithApplet(place, KEYS);
  const session = await open(card, SUPPLIER, KEYS);
  const pair = (id: string, label: string, type: number) =>
    ({ kind: 'key-pair', privateId: fromHex(id), publicId: fromHex(id), label, type }) as const;
  await sendAll(
    session,
    iotSafePersonalisationCommands(session, aidBytes(IOT_SAFE_INSTANCE), [
      { kind: 'secret', id: fromHex('01'), label: 'psk', value: fromHex('000102030405060708090a0b0c0d0e0f') },
      pair(PAIR.SIGN, 'client', CONTAINER_TYPE.P256_PERSISTENT),
      pair(PAIR.ECDH, 'exchange', CONTAINER_TYPE.P256_VOLATILE),
      pair(PAIR.RSA, 'old', CONTAINER_TYPE.RSA_2048),
      pair(PAIR.BRAINPOOL, 'german', CONTAINER_TYPE.BRAINPOOL_PERSISTENT),
      { kind: 'public-key-slot', id: fromHex('04'), label: 'peer' },
      { kind: 'public-key-slot', id: fromHex('08'), label: 'rsa peer', type: CONTAINER_TYPE.RSA_2048 },
      { kind: 'file', id: fromHex('05'), label: 'certificate', content: new Uint8Array(300).fill(7) },
    ]),
  );
  /** Sends commands; the data and status word of the last, with what GET RESPONSE fetches. */
  const ask = (...commands: readonly string[]) => {
    let result = { data: new Uint8Array(0), sw: 0 };
    for (const command of commands) {
      let { data, sw } = decodeResponse(card.transmit(fromHex(command)));
      while (sw >> 8 === 0x61) {
        const more = decodeResponse(card.transmit(fromHex(`${command.slice(0, 2)}c0000000`)));
        [data, sw] = [concatBytes(data, more.data), more.sw];
      }
      result = { data: Uint8Array.from(data), sw };
      assert.ok(command === commands.at(-1) || sw === 0x9000, `${command}: ${sw.toString(16)}`);
    }
    return result;
  };
  ask('0070000001', '01a4040007a000000559001000');
  return { card, ask };
}

/** Length and value of command data. */
function data(...parts: readonly string[]): string {
  const body = parts.join('');
  return (body.length / 2).toString(16).padStart(2, '0') + body;
}

function pointOf(response: Uint8Array): Uint8Array {
  const key = decodeTlvs(requireTlv(decodeTlvs(response), 0x34));
  return requireTlv(decodeTlvs(requireTlv(key, 0x49)), 0x86);
}

test('wolfSSL: key pair, public key and shared secret of an exchange, by container', async () => {
  const { ask } = await iotSafeCard();
  const made = ask('81b9000003840103').data;
  assert.deepEqual(
    decodeTlvs(made).map(({ tag }) => tag),
    [0x84, 0x85, 0x34],
  );
  assert.deepEqual(pointOf(ask('81cd000003850103').data), pointOf(made));
  const peer = createECDH('prime256v1');
  const point = peer.generateKeys('hex');
  ask('8124000203850104', `81d8800247344549438641${point}`, '8124010200');
  const { data: shared, sw } = ask('8146000006840103850104');
  assert.equal(sw, 0x9000);
  assert.equal(toHex(shared), peer.computeSecret(Buffer.from(pointOf(made))).toString('hex'));
});

test('wolfSSL: signs and verifies a digest, with the signature’s length on two bytes', async () => {
  const { ask } = await iotSafeCard();
  const point = pointOf(ask('81b9000003840102').data);
  const hash = `9e20${toHex(DIGEST)}`;
  const answer = ask('812a00010d840102a1010391020001920104', `812b8001${data(hash)}`, '812a010100');
  assert.equal(answer.sw, 0x9000);
  const signed = ask('812a00010d840102a1010391020001920104', `812b8001${data(hash)}`).data;
  const signature = requireTlv(decodeTlvs(signed), 0x33);
  const key = createPublicKey({
    key: Buffer.from(subjectPublicKeyInfo(P256, point)),
    format: 'der',
    type: 'spki',
  });
  assert.ok(verify('sha256', TEXT, { key, dsaEncoding: 'ieee-p1363' }, signature));
  const init = '812c00010d850102a1010391020001920104';
  const check = (raw: Uint8Array, length: string): number =>
    ask(init, `812d8001${data(hash, '33', length, toHex(raw))}`).sw;
  assert.equal(check(signature, '0040'), 0x9000);
  assert.equal(check(signature, '40'), 0x9000);
  assert.equal(check(signature.with(3, (signature[3] ?? 0) ^ 1), '0040'), 0x6d01);
  assert.equal(ask('812c010100').sw, 0x9000);
});

test('wolfSSL: HKDF extract, random bytes, and a certificate by its size', async () => {
  const { ask } = await iotSafeCard();
  const [ikm, salt] = ['11'.repeat(32), '22'.repeat(32)];
  const prk = ask(`814a0000${data('d120', ikm, 'd520', salt, '91020001')}`).data;
  assert.deepEqual(
    Buffer.from(prk),
    createHmac('sha256', Buffer.from(salt, 'hex')).update(Buffer.from(ikm, 'hex')).digest(),
  );
  assert.equal(ask('8184000020').data.length, 32);
  const about = decodeTlvs(requireTlv(decodeTlvs(ask('81cbc30003830105').data), 0xc3));
  assert.equal(toHex(requireTlv(about, 0x20)), '012c');
  const parts = [ask('81b0000003830105').data, ask('81b0010003830105').data];
  assert.equal(concatBytes(...parts).length, 300);
});

test('Thales: containers by label, PRF with a secret of the caller, text across commands', async () => {
  const { ask } = await iotSafeCard();
  const client = Buffer.from('client').toString('hex');
  const point = pointOf(ask(`01b90000${data('7406', client)}00`).data);
  assert.deepEqual(pointOf(ask(`01cd0000${data('7506', client)}00`).data), point);
  const [secret, seed] = ['33'.repeat(48), Buffer.from('key expansion').toString('hex')];
  const output = ask(`01480000${data('d130', secret, 'd20d', seed, 'd30168')}00`).data;
  assert.deepEqual(output, tlsPrfSha256(fromHex(secret), fromHex(seed), 0x68));
  const long = new Uint8Array(400).fill(5);
  const whole = `9b820190${toHex(long)}`;
  const signed = ask(
    `012a0000${data('840102', 'a10101', '91020001', '920104')}`,
    `012b0000${data(whole.slice(0, 400))}00`,
    `012b8000${data(whole.slice(400))}00`,
  ).data;
  assert.ok(verifyMessage(P256, point, long, requireTlv(decodeTlvs(signed), 0x33), 'sha256'));
});

test('Orange: the application in 68 bytes, and the objects in the order private, public, secret, file', async () => {
  const { ask } = await iotSafeCard();
  ask('01b9000003840102');
  const application = ask('01cb000044');
  assert.equal(application.data.length, 0x44);
  assert.deepEqual(
    decodeTlvs(application.data).map(({ tag }) => tag),
    [0x10, 0x11, 0xb1, 0xb2, 0xb3, 0xb4, 0x90, 0x91, 0x92, 0x93, 0x94, 0xb7],
  );
  const list = decodeTlvs(ask('01cb010000').data);
  const order = [0xc1, 0xc2, 0xc4, 0xc3];
  assert.deepEqual(
    list.map(({ tag }) => order.indexOf(tag)),
    list.map(({ tag }) => order.indexOf(tag)).toSorted((a, b) => a - b),
  );
  const [first] = list;
  const about = decodeTlvs(first?.value ?? new Uint8Array(0));
  assert.deepEqual(
    about.map(({ tag }) => tag),
    [0x74, 0x84, 0x60, 0x4a, 0x4b, 0x4e, 0x61, 0x92, 0x91, 0x6f],
  );
  assert.equal(toHex(requireTlv(about, 0x4a)), '01', 'filled');
  const empty = decodeTlvs(
    list.find(({ value }) => findTlv(decodeTlvs(value), 0x84)?.[0] === 7)?.value ??
      first?.value ??
      new Uint8Array(0),
  );
  assert.equal(toHex(requireTlv(empty, 0x4a)), '00', 'not generated yet');
});

test('RSA: generated on the card, signs by both schemes, and a peer’s key is put in parts', async () => {
  const { ask } = await iotSafeCard();
  const made = ask('01b9000003840106').data;
  const key = decodeTlvs(requireTlv(decodeTlvs(requireTlv(decodeTlvs(made), 0x34)), 0x49));
  const [n, e] = [requireTlv(key, 0x81), requireTlv(key, 0x82)];
  assert.equal(n.length, 256);
  const jwk = {
    kty: 'RSA',
    n: Buffer.from(n).toString('base64url'),
    e: Buffer.from(e).toString('base64url'),
  };
  const rsa = createPublicKey({ key: jwk, format: 'jwk' });
  const value = toHex(ask('01cd000003850106').data);
  ask('0124000103850108');
  assert.equal(ask(`01d80001${data(value.slice(0, 300))}`, `01d88001${data(value.slice(300))}`).sw, 0x9000);
  for (const [scheme, padding] of [
    ['01', 1],
    ['02', 6],
  ] as const) {
    const how = data('840106', 'a10103', '91020001', `9201${scheme}`);
    const hash = `9e20${toHex(DIGEST)}`;
    const signed = ask(`012a0001${how}`, `012b8001${data(hash)}00`).data;
    const signature = requireTlv(decodeTlvs(signed), 0x33);
    assert.ok(verify('sha256', TEXT, { key: rsa, padding, saltLength: 32 }, signature));
    const about = data('850108', 'a10103', '91020001', `9201${scheme}`);
    const whole = `${hash}33820100${toHex(signature)}`;
    const check = (text: string): number =>
      ask(`012c0001${about}`, `012d0001${data(text.slice(0, 400))}`, `012d8001${data(text.slice(400))}`).sw;
    assert.equal(check(whole), 0x9000);
    assert.equal(check(`${whole.slice(0, -2)}${whole.endsWith('00') ? '01' : '00'}`), 0x6d01);
  }
  assert.equal(
    ask(`012a0001${data('840106', 'a10103', '91020001', '920104')}`).sw,
    0x6a81,
    'no ECDSA with RSA',
  );
  assert.equal(ask('0146000006840106850108').sw, 0x6a81, 'no agreement with RSA');
});

test('brainpool: signs and agrees on its own curve, and not with a key of another', async () => {
  const { ask } = await iotSafeCard();
  const point = pointOf(ask('01b9000003840107').data);
  const how = data('840107', 'a10101', '91020004', '920104');
  const signed = ask(`012a0001${how}`, `012b8001${data('9b04', '01020304')}00`).data;
  const signature = requireTlv(decodeTlvs(signed), 0x33);
  assert.ok(verifyMessage(BRAINPOOL_P256R1, point, Uint8Array.of(1, 2, 3, 4), signature, 'sha512'));
  const peer = createECDH('brainpoolP256r1');
  const shared = ask(`01460000${data('840107', '344549438641', peer.generateKeys('hex'))}00`).data;
  assert.equal(toHex(shared), peer.computeSecret(Buffer.from(point)).toString('hex'));
  const foreign = createECDH('prime256v1').generateKeys('hex');
  assert.equal(ask(`01460000${data('840107', '344549438641', foreign)}00`).sw, 0x6a80);
  ask('01b9000003840102');
  assert.equal(ask('0146000006840107850102').sw, 0x6a80, 'a container of another curve');
});

test('a volatile key is gone with the channel, a persistent one stays', async () => {
  const { card, ask } = await iotSafeCard();
  ask('01b9000003840103', '01b9000003840102');
  const kept = ask('01cd000003850102').data;
  card.reset();
  ask('0070000001', '01a4040007a000000559001000');
  assert.equal(ask('01cd000003850103').sw, 0x6985);
  assert.equal(ask('012a00010d840103a1010391020001920104').sw, 0x6985);
  assert.deepEqual(ask('01cd000003850102').data, kept);
});

test('a command that names a container twice, not at all, or one that is not there is refused', async () => {
  const { ask } = await iotSafeCard();
  const label = Buffer.from('client').toString('hex');
  assert.equal(ask(`01b90000${data('840102', '7406', label)}`).sw, 0x6a80);
  assert.equal(ask(`01b90000${data('850102')}`).sw, 0x6a80);
  assert.equal(ask('01b9000003840199').sw, 0x6a88);
  assert.equal(ask(`01b90000${data('7403', '616263')}`).sw, 0x6a88);
});
