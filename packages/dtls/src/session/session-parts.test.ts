import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PeerIdentity } from '@sefleet/runtime';
import fc from 'fast-check';
import { CIPHER_SUITES } from '../cipher-suites.ts';
import { nodeRecordCipher } from '../crypto/node-record-cipher.ts';
import { ReplayWindow } from './replay-window.ts';
import { createResumptionCache } from './resumption-cache.ts';
import { decodeResumptionState, encodeResumptionState } from './resumption-state.ts';
import { SecureRecords } from './secure-records.ts';
import { decodeSessions, encodeSessions } from './session-codec.ts';
import { Session } from './session.ts';

describe('ReplayWindow', () => {
  test('agrees with a set of everything seen, for any order of arrival', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 200 }), (arrivals) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        let newest = -1;
        for (const sequence of arrivals) {
          const expected = !seen.has(sequence) && sequence > newest - 64;
          assert.equal(window.accepts(sequence), expected, `${sequence} after ${[...seen].join()}`);
          if (!expected) continue;
          assert.equal(window.note(sequence), sequence > newest);
          seen.add(sequence);
          newest = Math.max(newest, sequence);
        }
      }),
    );
  });

  test('goes on where it was after export', () => {
    const window = new ReplayWindow();
    for (const sequence of [5, 7, 2 ** 40, 2 ** 40 - 40]) window.note(sequence);
    const restored = ReplayWindow.from(window.toJSON());
    for (const sequence of [2 ** 40, 2 ** 40 - 40]) assert.equal(restored.accepts(sequence), false);
    for (const sequence of [2 ** 40 - 1, 2 ** 40 - 39, 2 ** 40 + 1])
      assert.equal(restored.accepts(sequence), true);
  });
});

const identity: fc.Arbitrary<PeerIdentity> = fc.oneof(
  fc.constant({ kind: 'none' } as const),
  fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => ({ kind: 'psk', identity: text }) as const),
  fc.uint8Array({ maxLength: 91 }).map((key) => ({ kind: 'rpk', subjectPublicKeyInfo: key }) as const),
  fc
    .tuple(fc.string({ maxLength: 30 }), fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 3 }))
    .map(([commonName, chain]) => ({ kind: 'x509', commonName, chain }) as const),
);
const suite = fc.constantFrom(...CIPHER_SUITES);

test('resumption state survives its encoding', () => {
  const states = fc.record({
    sessionId: fc.uint8Array({ maxLength: 32 }),
    suite,
    masterSecret: fc.uint8Array({ minLength: 48, maxLength: 48 }),
    extendedMasterSecret: fc.boolean(),
    identity,
    serverName: fc.constantFrom(undefined, 'meter.example'),
  });
  fc.assert(
    fc.property(states, (state) =>
      assert.deepEqual(decodeResumptionState(encodeResumptionState(state)), { ...state }),
    ),
  );
  assert.throws(() => decodeResumptionState(new Uint8Array(3)), { code: 'DTLS_DECODE' });
});

test('a resumption cache forgets the session used longest ago', () => {
  const cache = createResumptionCache({ capacity: 2 });
  const id = (n: number) => Uint8Array.of(n);
  cache.put(id(1), id(11));
  cache.put(id(2), id(12));
  cache.find(id(1));
  cache.put(id(3), id(13));
  assert.deepEqual(
    [1, 2, 3].map((n) => cache.find(id(n))?.[0]),
    [11, undefined, 13],
  );
  cache.remove(id(1));
  assert.equal(cache.find(id(1)), undefined);
});

describe('exported sessions', () => {
  const link = { key: '10.0.0.1:5684', address: '10.0.0.1', port: 5684, identity: { kind: 'none' } } as const;
  const sessions = fc
    .record({
      identity,
      suite,
      role: fc.constantFrom('client' as const, 'server' as const),
      keyBlock: fc.uint8Array({ minLength: 40, maxLength: 40 }),
      send: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 }), { nil: undefined }),
      receive: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 }), { nil: undefined }),
      writeSequence: fc.maxSafeNat().map((n) => n % 2 ** 48),
      seen: fc.array(fc.nat(1000), { maxLength: 5 }),
      resumed: fc.boolean(),
    })
    .map((fields) => {
      const records = new SecureRecords({ ...fields, cipher: nodeRecordCipher }, fields);
      records.writeSequence = fields.writeSequence;
      for (const sequence of fields.seen) records.window.note(sequence);
      const facts = {
        resumed: fields.resumed,
        extendedMasterSecret: true,
        serverName: undefined,
        returnRoutability: fields.resumed,
        recordSizeLimit: 16_384,
        resumption: undefined,
      };
      return new Session('dtls:1', link, { identity: fields.identity, records, facts }, 0);
    });

  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(sessions, { maxLength: 4 }), (list) => {
        const restored = decodeSessions(encodeSessions(list), () => link, nodeRecordCipher, 0);
        assert.deepEqual(restored, list);
      }),
    );
  });

  test('of another version, cut or with trailing bytes are refused', () => {
    const [session] = fc.sample(sessions, { numRuns: 1, seed: 3 });
    assert.ok(session);
    const exported = encodeSessions([session]);
    const refused = { code: 'DTLS_SESSION_IMPORT' };
    for (const length of [0, 1, 2, 4, 5, 20, exported.length - 1]) {
      assert.throws(
        () => decodeSessions(exported.subarray(0, length), () => link, nodeRecordCipher, 0),
        refused,
        `${length} bytes`,
      );
    }
    assert.throws(
      () => decodeSessions(Buffer.concat([exported, Uint8Array.of(0)]), () => link, nodeRecordCipher, 0),
      refused,
    );
    const other = exported.slice();
    other[2] = 9;
    assert.throws(() => decodeSessions(other, () => link, nodeRecordCipher, 0), refused);
  });
});
