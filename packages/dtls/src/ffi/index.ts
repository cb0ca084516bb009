import type { CipherSuite } from '../cipher-suites.ts';
import type { RecordCipher } from '../crypto/record-cipher.ts';
import { EvpAead } from './openssl-evp.ts';

/**
 * A record cipher on OpenSSL's own functions, without the objects that `node:crypto` makes for each record.
 * Experimental, as the `node:ffi` below it: importing this module fails unless Node runs with
 * `--experimental-ffi`.
 *
 * @example
 * const { createFfiRecordCipher } = await import('@sefleet/dtls/ffi');
 * const endpoint = createDtlsEndpoint({ channel, runtime, recordCipher: createFfiRecordCipher() });
 */
export function createFfiRecordCipher(): RecordCipher {
  const sealing = new Map<number, EvpAead>();
  const opening = new Map<number, EvpAead>();
  const aeadFor = ({ id, algorithm, tagLength }: CipherSuite, encrypts: boolean): EvpAead => {
    const aeads = encrypts ? sealing : opening;
    const known = aeads.get(id);
    if (known !== undefined) return known;
    const made = new EvpAead(algorithm, tagLength, encrypts);
    aeads.set(id, made);
    return made;
  };
  return {
    seal({ suite, key, nonce, additionalData, data }, out, at) {
      const sealed = aeadFor(suite, true).run(key, nonce, additionalData, data, undefined);
      if (sealed === undefined) throw new RangeError('OpenSSL does not seal this record');
      out.set(sealed.output, at);
      out.set(sealed.tag, at + data.length);
    },

    open({ suite, key, nonce, additionalData, data }) {
      const end = data.length - suite.tagLength;
      const aead = aeadFor(suite, false);
      return aead.run(key, nonce, additionalData, data.subarray(0, end), data.subarray(end))?.output.slice();
    },
  };
}
