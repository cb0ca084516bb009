import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromHex, toHex } from '@sefleet/bytes';
import fc from 'fast-check';
import { CIPHER_SUITES, type CipherSuite } from '../cipher-suites.ts';
import { decodeRecord } from '../codec/record.ts';
import { nodeRecordCipher } from './node-record-cipher.ts';
import { prf } from './prf.ts';
import { openRecord, recordOverhead, sealRecord } from './record-protection.ts';

describe('prf', () => {
  test('gives the published SHA-256 vector', () => {
    // The vector for P_SHA256 that was posted to the IETF TLS list and that implementations share.
    const secret = fromHex('9bbe436ba940f017b17652849a71db35');
    const seed = fromHex('a0ba9f936cda311827a6f796ffd5198c');
    const expected =
      'e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af' +
      '0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701' +
      '87347b66';
    assert.equal(toHex(prf(secret, 'test label', seed, 100)), expected);
  });

  test('a shorter output is the beginning of a longer one', () => {
    const secret = fromHex('01');
    const long = prf(secret, 'x', secret, 96);
    for (const length of [0, 1, 12, 31, 32, 33, 48, 64]) {
      assert.equal(toHex(prf(secret, 'x', secret, length)), toHex(long.subarray(0, length)));
    }
  });
});

const keyBlock = Uint8Array.from({ length: 40 }, (_, i) => i);
const both = (suite: CipherSuite) => ({
  client: { suite, keyBlock, role: 'client', cipher: nodeRecordCipher } as const,
  server: { suite, keyBlock, role: 'server', cipher: nodeRecordCipher } as const,
});

describe('record protection', () => {
  const variants = CIPHER_SUITES.flatMap((suite) =>
    [undefined, fromHex('c1c2c3')].map((cid) => [suite, cid] as const),
  );
  for (const [suite, cid] of variants) {
    const name = `${suite.name}${cid === undefined ? '' : ' with a connection ID'}`;

    test(`${name}: what one side seals, the other opens, and it is as long as announced`, () => {
      const { client, server } = both(suite);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(2 ** 31), (content, sequence) => {
          const out = new Uint8Array(content.length + recordOverhead(suite, cid));
          const end = sealRecord(out, 0, client, { type: 23, epoch: 1, sequence, cid, content });
          assert.equal(end, out.length);
          const record = decodeRecord(out, 0, cid?.length ?? 0);
          assert.ok(record);
          const plain = openRecord(record, server);
          assert.deepEqual(plain && Buffer.from(plain.content), Buffer.from(content));
          assert.equal(plain?.type, 23);
          // Both directions have keys of their own.
          assert.equal(openRecord(record, client), undefined);
        }),
        { numRuns: 20 },
      );
    });

    test(`${name}: a change of any bit is noticed`, () => {
      const { client, server } = both(suite);
      const content = fromHex('00112233445566778899');
      const out = new Uint8Array(content.length + recordOverhead(suite, cid));
      sealRecord(out, 0, client, { type: 23, epoch: 1, sequence: 77, cid, content });
      for (let bit = 0; bit < out.length * 8; bit++) {
        const forged = out.slice();
        const at = bit >> 3;
        forged[at] = (forged[at] ?? 0) ^ (1 << (bit & 7));
        const record = decodeRecord(forged, 0, cid?.length ?? 0);
        if (record === undefined) continue;
        assert.equal(openRecord(record, server), undefined, `bit ${bit}`);
      }
    });
  }

  test('a record with a connection ID and nothing but padding is none', () => {
    const [suite] = CIPHER_SUITES;
    assert.ok(suite);
    const { client, server } = both(suite);
    const cid = fromHex('aa');
    const out = new Uint8Array(recordOverhead(suite, cid));
    sealRecord(out, 0, client, { type: 0, epoch: 1, sequence: 0, cid, content: new Uint8Array(0) });
    const record = decodeRecord(out, 0, 1);
    assert.ok(record);
    assert.equal(openRecord(record, server), undefined);
  });
});
