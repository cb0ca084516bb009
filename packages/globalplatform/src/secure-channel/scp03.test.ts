import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import { aesCmac } from '../crypto/aes-cmac.ts';
import { decodeApdu, encodeApdu } from '../apdu/command-apdu.ts';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { decodeInitializeUpdateResponse, openScp03Session } from './scp03-session.ts';
import { deriveSessionKeys, scp03CardChallenge, scp03Cryptogram } from './scp03-keys.ts';
import { SecureMessaging } from './secure-messaging.ts';
import { C_MAC } from './security-level.ts';
import type { SecurityLevel } from './security-level.ts';

interface Vectors {
  readonly keySets: Record<string, { keyVersion: number; enc: string; mac: string; dek: string }>;
  readonly plain: Record<string, string>;
  readonly sessions: Record<string, Record<string, string>>;
}

// The file is ours and of this shape.
const vectors = JSON.parse(
  readFileSync(new URL('../../../../test/fixtures/vectors/scp03-pysim.json', import.meta.url), 'utf8'),
) as Vectors;

const hex = (text: string | undefined): Uint8Array => fromHex(text ?? '');
const COMMANDS = ['get_eid', 'case_1', 'case_2', 'case_3', 'case_4'] as const;

function wrappedHex(session: Record<string, string>, name: (typeof COMMANDS)[number]): string {
  return (name === 'get_eid' ? session['get_eid_cmd'] : session[`${name}_apdu`]) ?? '';
}

/** Le is not protected and the vectors differ in whether they repeat it. */
function withoutLe(command: CommandApdu): string {
  const { le: _, ...rest } = command;
  return toHex(encodeApdu(rest));
}

for (const [name, session] of Object.entries(vectors.sessions)) {
  const set = vectors.keySets[name.split('_')[0] ?? ''];
  const keys = { enc: hex(set?.enc), mac: hex(set?.mac), dek: hex(set?.dek) };
  const level = Number.parseInt(name.split('_')[1] ?? '', 16) as SecurityLevel;

  test(`${name}: the host opens the published session and wraps the published commands`, async () => {
    const sent: string[] = [];
    const answers = [session['init_upd_rsp'] + '9000', '9000', session['get_eid_rsp'] + '9000'];
    const host = await openScp03Session({
      transmit: (apdu) => {
        sent.push(toHex(apdu));
        return hex(answers[sent.length - 1] ?? '6985');
      },
      keys,
      keyVersion: set?.keyVersion ?? 0,
      level,
      rng: { bytes: () => hex(session['init_upd_cmd']).slice(5, 13), fraction: () => 0 },
    });
    assert.equal(sent[0], session['init_upd_cmd']);
    assert.equal(sent[1], session['ext_auth_cmd']);
    const eid = await host.transmit(decodeApdu(hex(vectors.plain['get_eid'])));
    assert.equal(toHex(eid.data), vectors.plain['get_eid_rsp']);
    for (const command of COMMANDS.slice(1)) await host.transmit(decodeApdu(hex(vectors.plain[command])));
    assert.deepEqual(
      sent.slice(2).map((apdu) => withoutLe(decodeApdu(hex(apdu)))),
      COMMANDS.map((command) => withoutLe(decodeApdu(hex(wrappedHex(session, command))))),
    );
  });

  test(`${name}: the card derives, unwraps and protects as published`, () => {
    const hostChallenge = hex(session['init_upd_cmd']).slice(5, 13);
    const response = decodeInitializeUpdateResponse(hex(session['init_upd_rsp']));
    const sessionKeys = deriveSessionKeys(keys, hostChallenge, response.cardChallenge);
    const cryptogram = scp03Cryptogram('card', sessionKeys.mac, hostChallenge, response.cardChallenge);
    assert.equal(toHex(cryptogram), toHex(response.cardCryptogram));
    const card = new SecureMessaging(sessionKeys, 8, C_MAC);
    assert.ok(card.unwrapCommand(decodeApdu(hex(session['ext_auth_cmd']))));
    card.begin(level);
    for (const command of COMMANDS) {
      const plain = card.unwrapCommand(decodeApdu(hex(wrappedHex(session, command))));
      assert.equal(toHex(plain?.data ?? hex('ff')), toHex(decodeApdu(hex(vectors.plain[command])).data));
      if (command !== 'get_eid') continue;
      const protectedResponse = card.wrapResponse({ data: hex(vectors.plain['get_eid_rsp']), sw: 0x9000 });
      assert.equal(toHex(protectedResponse.data), session['get_eid_rsp']);
    }
  });
}

for (const [name, session] of Object.entries(vectors.sessions)) {
  const set = vectors.keySets[name.split('_')[0] ?? ''];
  const keys = { enc: hex(set?.enc), mac: hex(set?.mac), dek: hex(set?.dek) };
  const level = Number.parseInt(name.split('_')[1] ?? '', 16) as SecurityLevel;
  const rng = { bytes: () => hex(session['init_upd_cmd']).slice(5, 13), fraction: () => 0 };
  const open = (answersOf: (script: readonly string[]) => string[]) => {
    const scripts: string[][] = [];
    const opened = openScp03Session({
      transmit: () => hex(session['init_upd_rsp'] + '9000'),
      script: async (apdus) => {
        scripts.push(apdus.map(toHex));
        return answersOf(scripts.at(-1) ?? []).map(hex);
      },
      keys,
      keyVersion: set?.keyVersion ?? 0,
      level,
      rng,
    });
    return { scripts, opened };
  };
  const plain = COMMANDS.map((command) => decodeApdu(hex(vectors.plain[command])));

  test(`${name}: a script has the published commands behind EXTERNAL AUTHENTICATE, in one exchange`, async () => {
    const refusal = '6985';
    const { scripts, opened } = open(() => ['9000', session['get_eid_rsp'] + '9000', refusal]);
    const host = await opened;
    const answers = await host.transmitScript(plain);
    assert.equal(scripts.length, 1);
    assert.equal(scripts[0]?.[0], session['ext_auth_cmd']);
    assert.deepEqual(
      scripts[0]?.slice(1).map((apdu) => withoutLe(decodeApdu(hex(apdu)))),
      COMMANDS.map((command) => withoutLe(decodeApdu(hex(wrappedHex(session, command))))),
    );
    assert.equal(toHex(answers[0]?.data ?? hex('ff')), vectors.plain['get_eid_rsp']);
    assert.deepEqual(
      answers.map(({ sw }) => sw),
      [0x9000, 0x6985],
    );
    // What was wrapped behind the refusal never ran: the chains of both sides differ from here on.
    await assert.rejects(host.transmit(plain[0] ?? assert.fail()), { code: 'GP_SESSION_CLOSED' });
  });

  test(`${name}: a session that the card refuses is refused with its first commands`, async () => {
    const { opened } = open(() => ['6982']);
    const host = await opened;
    await assert.rejects(host.transmitScript(plain), { message: 'EXTERNAL AUTHENTICATE: 6982' });
    await assert.rejects(host.transmit(plain[0] ?? assert.fail()), { code: 'GP_SESSION_CLOSED' });
    const silent = await open(() => []).opened;
    await assert.rejects(silent.transmit(plain[0] ?? assert.fail()), { code: 'GP_SESSION_CLOSED' });
  });

  if ((level & 0x10) === 0) continue;
  test(`${name}: an answer of another command, or in parts, is not taken`, async () => {
    const answer = `${session['get_eid_rsp']}9000`;
    const swapped = await open(() => ['9000', answer, answer]).opened;
    await assert.rejects(swapped.transmitScript(plain), { code: 'GP_RESPONSE_MAC_INVALID' });
    const inParts = await open(() => ['9000', '6110']).opened;
    await assert.rejects(inParts.transmitScript(plain), { code: 'GP_STATUS_WORD' });
  });
}

test('the pseudo-random card challenge is the published one', () => {
  const domain = hex('A0000005591010FFFFFFFF8900000100');
  const enc = hex('000102030405060708090a0b0c0d0e0f');
  assert.equal(toHex(scp03CardChallenge(enc, 2, domain, 8)), '3eb51047495b249f');
});

test('AES-CMAC gives the published values', () => {
  const key = hex('2B7E151628AED2A6ABF7158809CF4F3C');
  const first = hex('6BC1BEE22E409F96E93D7E117393172A');
  const more = hex('AE2D8A571E03AC9C9EB76FAC45AF8E5130C81C46A35CE411');
  assert.equal(toHex(aesCmac(key, first)), '070a16b46b4d4144f79bdd9dd04a287c');
  assert.equal(toHex(aesCmac(key, first, more)), 'dfa66747de9ae63030ca32611497c827');
  const key192 = hex('8E73B0F7DA0E6452C810F32B809079E562F8EAD2522C6B7B');
  assert.equal(toHex(aesCmac(key192, first)), '9e99a7bf31e710900662f65e617c5184');
  assert.equal(toHex(aesCmac(key192, first, more)), '8a1de5be2eb31aad089a82e6ee908b0e');
});
