import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import fc from 'fast-check';
import { canonicalJson } from './canonical.ts';
import { openSealedReading } from './checker/sealed-reading.ts';
import { bundleRoot, exchangeDigest, hopChain, merkleRoot } from './digests.ts';
import type { MeterEvidence } from './evidence.ts';
import { cmac, readReceipt } from './receipts.ts';
import { parseBundle, verifyBundle } from './verify-bundle.ts';

const KEY = fromHex('2b7e151628aed2a6abf7158809cf4f3c');
const MESSAGE = fromHex(
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
);

describe('AES-CMAC', () => {
  // RFC 4493 §4.
  for (const [length, mac] of [
    [0, 'bb1d6929e95937287fa37d129b756746'],
    [16, '070a16b46b4d4144f79bdd9dd04a287c'],
    [40, 'dfa66747de9ae63030ca32611497c827'],
    [64, '51f0bebf7e3b9d92fc49741779363cfe'],
  ] as const) {
    it(`is that of RFC 4493 for ${length} bytes`, () =>
      equal(toHex(cmac(KEY, MESSAGE.subarray(0, length))), mac));
  }
});

describe('canonical JSON', () => {
  it('does not depend on the order in which a value was built', () => {
    equal(canonicalJson({ b: [{ d: 1, c: 2 }], a: 'x' }), canonicalJson({ a: 'x', b: [{ c: 2, d: 1 }] }));
    equal(canonicalJson({ b: 1, a: 2 }), '{"a":2,"b":1}');
  });
});

describe('digests', () => {
  it('tell where a command ends and its response begins', () => {
    notEqual(
      exchangeDigest(Uint8Array.of(1, 2), Uint8Array.of(3)),
      exchangeDigest(Uint8Array.of(1), Uint8Array.of(2, 3)),
    );
  });

  it('chain the exchanges of a hop in their order; the manager in the middle saw all of them', () => {
    const exchanges = ['tsm', 'to', 'from', 'to'].map((hop, i) => {
      return { hop: hop as 'tsm' | 'to' | 'from', digest: exchangeDigest(Uint8Array.of(i), Uint8Array.of()) };
    });
    notEqual(hopChain(exchanges, 'tsm'), hopChain(exchanges.toReversed(), 'tsm'));
    equal(
      hopChain(exchanges, 'to'),
      hopChain(
        exchanges.filter(({ hop }) => hop === 'to'),
        'tsm',
      ),
    );
    equal(hopChain(exchanges, 'issuer'), '');
  });

  it('put every meter and the order of meters into the root', () => {
    const meters = ['a', 'b', 'c', 'd', 'e'].map((endpoint) => ({ endpoint }) as MeterEvidence);
    const roots = meters.map((_, i) => merkleRoot(meters.filter((_, other) => other !== i)));
    equal(new Set([...roots, merkleRoot(meters), merkleRoot(meters.toReversed())]).size, 7);
  });
});

describe('receipts', () => {
  const context = ['a0000001515350', 'f05345464c54010112'];
  const confirmation = Uint8Array.of(2, 0x00, 0x07, 4, 1, 2, 3, 4);
  const covered = [confirmation, ...context.map((aid) => Uint8Array.of(aid.length / 2, ...fromHex(aid)))];
  const mac = cmac(KEY, Buffer.concat(covered));
  const body = Buffer.concat([Uint8Array.of(16), mac, confirmation]);
  const receipt = {
    kind: 'install' as const,
    response: toHex(Buffer.concat([Uint8Array.of(body.length), body])),
    context,
  };

  it('tell their counter and verify under the issuer’s key for what was done, and nothing else', () => {
    deepEqual(readReceipt(receipt, KEY), { counter: 7, verified: true });
    equal(readReceipt(receipt, KEY.with(0, 0))?.verified, false);
    equal(readReceipt({ ...receipt, context: context.toReversed() }, KEY)?.verified, false);
    equal(readReceipt(receipt, undefined)?.verified, false);
  });

  it('that are truncated or changed at any byte do not verify', () => {
    for (let at = 0; at < receipt.response.length; at += 2) {
      notEqual(readReceipt({ ...receipt, response: receipt.response.slice(0, at) }, KEY)?.verified, true);
      const byte = (Number.parseInt(receipt.response.slice(at, at + 2), 16) ^ 1)
        .toString(16)
        .padStart(2, '0');
      const response = receipt.response.slice(0, at) + byte + receipt.response.slice(at + 2);
      notEqual(readReceipt({ ...receipt, response }, KEY)?.verified, true);
    }
  });
});

describe('sealed readings', () => {
  it('that are anything but records of a known supplier do not open, and do no harm', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        equal(
          openSealedReading(bytes, 'm-1', () => randomBytes(16)),
          undefined,
        );
      }),
    );
  });
});

describe('bundles', () => {
  it('of another form are refused', () => {
    for (const text of [
      '',
      'null',
      '[]',
      '{}',
      '{"format":"sefleet-evidence-bundle-2"}',
      '{"format":"sefleet-evidence-bundle-1","switchId":"s","authority":"","parties":[],"meters":[],"root":""}',
      '{"format":"x","meters":[],"parties":[]}',
    ]) {
      throws(() => parseBundle(text), { code: 'EVIDENCE_MALFORMED' });
    }
  });

  it('with certificates of nobody are reported, not trusted', () => {
    const bundle = parseBundle(
      JSON.stringify({
        format: 'sefleet-evidence-bundle-2',
        authority: 'none',
        parties: [{ name: 'northern-power', roles: [], certificate: '00' }],
        switches: [],
        meters: [],
        root: bundleRoot([]),
      }),
    );
    const checks = verifyBundle(bundle);
    ok(!checks.find(({ name }) => name === 'certificates')?.holds);
    ok(checks.find(({ name }) => name === 'root')?.holds);
  });
});
