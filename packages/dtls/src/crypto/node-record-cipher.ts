import {
  createCipheriv,
  createDecipheriv,
  type CipherCCM,
  type CipherGCM,
  type DecipherCCM,
  type DecipherGCM,
} from 'node:crypto';
import type { RecordCipher, RecordCipherJob } from './record-cipher.ts';

/** Records sealed by `node:crypto`: works everywhere. */
export const nodeRecordCipher: RecordCipher = {
  seal(job, out, at) {
    const cipher = cipherFor(job);
    cipher.setAAD(job.additionalData, { plaintextLength: job.data.length });
    const sealed = cipher.update(job.data);
    out.set(sealed, at);
    cipher.final();
    out.set(cipher.getAuthTag(), at + sealed.length);
  },

  open(job) {
    const { data, additionalData, suite } = job;
    const plaintextLength = data.length - suite.tagLength;
    const decipher = decipherFor(job);
    decipher.setAuthTag(data.subarray(plaintextLength));
    decipher.setAAD(additionalData, { plaintextLength });
    try {
      const content = decipher.update(data.subarray(0, plaintextLength));
      decipher.final();
      return content;
    } catch {
      return undefined;
    }
  },
};

// node:crypto types the two algorithms apart, hence the branches.
function cipherFor({ suite, key, nonce }: RecordCipherJob): CipherCCM | CipherGCM {
  const options = { authTagLength: suite.tagLength };
  if (suite.algorithm === 'aes-128-ccm') return createCipheriv(suite.algorithm, key, nonce, options);
  return createCipheriv(suite.algorithm, key, nonce, options);
}

function decipherFor({ suite, key, nonce }: RecordCipherJob): DecipherCCM | DecipherGCM {
  const options = { authTagLength: suite.tagLength };
  if (suite.algorithm === 'aes-128-ccm') return createDecipheriv(suite.algorithm, key, nonce, options);
  return createDecipheriv(suite.algorithm, key, nonce, options);
}
