import { createPublicKey, sign, X509Certificate, type KeyObject } from 'node:crypto';
import { dtlsError } from '../errors.ts';
import type { SigningKeyProvider } from './key-providers.ts';

/**
 * A P-256 private key held in memory.
 *
 * @param options.privateKey the key
 * @param options.certificateChain DER certificates, the key's own first; without it the raw public key is
 * offered
 * @param options.rawPublicKey false: never offer the raw public key (RFC 7250)
 * @throws SefleetError `DTLS_SETTINGS` when the key is not on P-256 or the first certificate is for another
 * key
 */
export function createSoftwareSigningKey(options: {
  readonly privateKey: KeyObject;
  readonly certificateChain?: readonly Uint8Array[];
  readonly rawPublicKey?: boolean;
}): SigningKeyProvider {
  const { privateKey, certificateChain } = options;
  if (privateKey.asymmetricKeyType !== 'ec' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw dtlsError('DTLS_SETTINGS', 'a signing key has to be an ECDSA key on P-256');
  }
  const own = certificateChain?.[0];
  if (own !== undefined && !new X509Certificate(own).checkPrivateKey(privateKey)) {
    throw dtlsError('DTLS_SETTINGS', 'the first certificate is not for this private key');
  }
  const subjectPublicKeyInfo = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    sign: (message) => sign('sha256', message, privateKey),
    ...(certificateChain === undefined ? {} : { certificateChain }),
    ...(options.rawPublicKey === false ? {} : { subjectPublicKeyInfo }),
  };
}
