/**
 * Holds the cipher on OpenSSL's own functions against `node:crypto`: the same bytes for the same record,
 * the same refusals. Runs in a process of its own, as it needs `--experimental-ffi`; `ffi.test.ts` starts
 * it.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CIPHER_SUITES } from '../cipher-suites.ts';
import { nodeRecordCipher } from '../crypto/node-record-cipher.ts';
import { createFfiRecordCipher } from './index.ts';

const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const jobs = fc.record(
  {
    suite: fc.constantFrom(...CIPHER_SUITES),
    key: bytes(16, 16),
    nonce: bytes(12, 12),
    additionalData: bytes(13, 60),
    data: fc.oneof(bytes(0, 100), bytes(16_000, 16_400)),
  },
  { noNullPrototype: true },
);
const ours = createFfiRecordCipher();
fc.assert(
  fc.property(jobs, fc.nat(), (job, at) => {
    const [theirs, mine] = [new Uint8Array(job.data.length + 24), new Uint8Array(job.data.length + 24)];
    nodeRecordCipher.seal(job, theirs, 3);
    ours.seal(job, mine, 3);
    assert.deepEqual(mine, theirs);
    const sealed = mine.subarray(3, 3 + job.data.length + job.suite.tagLength);
    const opened = ours.open({ ...job, data: sealed });
    assert.deepEqual(opened && Buffer.from(opened), Buffer.from(job.data));
    const forged = sealed.slice();
    const index = at % forged.length;
    forged[index] = (forged[index] ?? 0) ^ 1;
    assert.equal(ours.open({ ...job, data: forged }), undefined);
    assert.equal(
      ours.open({ ...job, additionalData: job.additionalData.map((byte) => byte ^ 1), data: sealed }),
      undefined,
    );
  }),
  { numRuns: 2000 },
);
