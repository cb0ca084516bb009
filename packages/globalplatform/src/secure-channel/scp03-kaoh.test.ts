import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { decodeApdu, encodeApdu } from '../apdu/command-apdu.ts';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { deleteCommand } from '../content/delete.ts';
import { decodeStatus, getStatusCommand } from '../content/get-status.ts';
import { diversifyKdf3 } from '../crypto/key-derivation.ts';
import { openScp03Session } from './scp03-session.ts';
import type { SecureChannelSession } from './secure-channel-session.ts';

/** Sessions published with kaoh/globalplatform (scp03Test.c). */
const KEYS = {
  enc: fromHex('F995D0A069335C7DF42E590317FFEA6D'),
  mac: fromHex('58563362EC5A4541ABCD32B34B1EAE7D'),
  dek: fromHex('0A02A6D687406DCFA09DC70B3EDB7E38'),
};

async function replay(hostChallenge: string, level: 0x03, answers: readonly string[]) {
  const sent: string[] = [];
  const session: SecureChannelSession = await openScp03Session({
    transmit: (apdu) => {
      sent.push(toHex(apdu).toUpperCase());
      return fromHex(answers[sent.length - 1] ?? '6F00');
    },
    keys: KEYS,
    level,
    rng: { bytes: () => fromHex(hostChallenge), fraction: () => 0 },
  });
  return { session, sent };
}

test('DELETE of an application travels as published', async () => {
  const { session, sent } = await replay('B2BDE1A2DC66BD56', 0x03, [
    '00000000000000000000300370C40932A6FEFEAEB2E127185170F45FCA0000159000',
    '9000',
    '009000',
  ]);
  const { le: _, ...command }: CommandApdu = deleteCommand(fromHex('A00100015141434C'), { related: true });
  await session.transmit(command);
  assert.equal(sent[0], '8050000008B2BDE1A2DC66BD5600');
  assert.equal(sent[1], '848203001059D54D932423D29F6313C970875F8C2F');
  assert.equal(sent[2], '84E400801829F06AEC3180B3EFE91FF662310B945DE0D5FE66AD67A5B6');
});

test('mutual authentication travels as published', async () => {
  const { sent } = await replay('9BD6BF878FB8E991', 0x03, [
    '000000000000000000003003703C80C2CC87EB3A35E4EDBA35E629C33600001E9000',
    '9000',
  ]);
  assert.equal(sent[1], '848203001023EBFEDC579D22CDCDB6A25A5FF7891F');
});

test('GET STATUS travels as published, and the answer of the card is read', async () => {
  const { session, sent } = await replay('A6D40AEC55FE7986', 0x03, [
    '00000000000000000000300370B6E362D0F90F8101C34B7B21A74553200000259000',
    '9000',
    'E33E4F10A0000005591010FFFFFFFF89000010009F70013FC50380C000C407A0000001515350CE020100CC10A0000005591010FFFFFFFF8900000100EA028000' +
      'E3394F10A0000000871002FF01FF4189000001009F70020700C503000000C40CA000000095000000004E0001CE020100CC05A000000151EA028000' +
      'E3304F09A000000559101000019F70020700C503000000C407A0000001515350CE020100CC08A000000151000000EA028000' +
      'E3304F09A000000559101000029F70020700C503000000C407A0000001515350CE020100CC08A000000151000000EA0280009000',
  ]);
  const { data } = await session.transmit(getStatusCommand(0x40));
  const wrapped = decodeApdu(fromHex(sent[2] ?? ''));
  assert.equal(sent[2], '84F2400218D18C9A7BB2B1B1C7ED1B24E1B1307CB9D71A66ABC55CBC3A00');
  assert.equal(toHex(encodeApdu(wrapped)).toUpperCase(), sent[2]);
  const entries = decodeStatus(data);
  assert.deepEqual(
    entries.map((entry) => [entry.lifeCycle, entry.securityDomain]),
    [
      [0x3f, 'a0000005591010ffffffff8900000100'],
      [0x07, 'a000000151'],
      [0x07, 'a000000151000000'],
      [0x07, 'a000000151000000'],
    ],
  );
});

test('diversification gives other keys to each card, of the master’s length', () => {
  for (const length of [16, 24, 32]) {
    const one = diversifyKdf3(new Uint8Array(length).fill(7), fromHex('00000000000000000001'));
    const other = diversifyKdf3(new Uint8Array(length).fill(7), fromHex('00000000000000000002'));
    const all = [one.enc, one.mac, one.dek, other.enc, other.mac, other.dek];
    assert.equal(new Set(all.map(toHex)).size, 6);
    assert.ok(all.every((key) => key.length === length));
  }
});
