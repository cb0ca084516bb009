import { concatBytes } from '@sefleet/bytes';
import { encodeCertificate, encodeCertificateRequest } from '../codec/certificate.ts';
import { encodeEcdhParameters, encodeServerKeyExchange } from '../codec/key-exchange.ts';
import {
  CertificateType,
  CLIENT_CERTIFICATE_TYPE_ECDSA_SIGN,
  ecdsa_secp256r1_sha256,
  NAMED_GROUPS,
} from '../constants.ts';
import type { KeyAgreement, KeyAgreementProvider } from '../credentials/key-providers.ts';
import type { DtlsServerSettings } from '../settings.ts';
import { unexpectedMessage } from './flow.ts';
import type { Randoms } from './secrets.ts';
import type { ServerChoice } from './server-choice.ts';

/** ServerKeyExchange, with the ephemeral key that it offers. */
interface OfferedKey {
  readonly body: Uint8Array;
  readonly agreement: KeyAgreement | undefined;
}

/** The body of ServerKeyExchange; undefined for plain PSK without a hint, which has none (RFC 4279 §2). */
export function serverKeyExchange(
  choice: ServerChoice,
  settings: DtlsServerSettings,
  keyAgreement: KeyAgreementProvider,
  randoms: Randoms,
): OfferedKey | undefined | Promise<OfferedKey> {
  const { suite, group } = choice;
  const identityHint = new TextEncoder().encode(settings.pskIdentityHint ?? '');
  if (suite.keyExchange === 'PSK' || group === undefined) {
    if (identityHint.length === 0) return undefined;
    return { body: encodeServerKeyExchange({ identityHint }), agreement: undefined };
  }
  return (async () => {
    const agreement = await keyAgreement.generate(group);
    const { publicKey } = agreement;
    const ecdhParameters = encodeEcdhParameters({ group: NAMED_GROUPS[group], publicKey });
    if (suite.keyExchange === 'ECDHE_PSK') {
      return { body: encodeServerKeyExchange({ identityHint, ecdhParameters }), agreement };
    }
    if (choice.signingKey === undefined) throw unexpectedMessage('no signing key was chosen');
    // RFC 8422 §5.4: over both randoms and the parameters.
    const covered = concatBytes(randoms.clientRandom, randoms.serverRandom, ecdhParameters);
    const signature = { algorithm: ecdsa_secp256r1_sha256, signature: await choice.signingKey.sign(covered) };
    return { body: encodeServerKeyExchange({ ecdhParameters, signature }), agreement };
  })();
}

/** The body of the server's Certificate message. */
export function serverCertificate(choice: ServerChoice): Uint8Array {
  const { signingKey, serverCertificateType } = choice;
  if (
    serverCertificateType === CertificateType.RawPublicKey &&
    signingKey?.subjectPublicKeyInfo !== undefined
  ) {
    return encodeCertificate({ kind: 'rpk', subjectPublicKeyInfo: signingKey.subjectPublicKeyInfo });
  }
  return encodeCertificate({ kind: 'x509', chain: signingKey?.certificateChain ?? [] });
}

/** Whether the client is to authenticate by certificate: not where a PSK does it. RFC 5246 §7.4.4. */
export function asksCertificate(choice: ServerChoice, settings: DtlsServerSettings): boolean {
  return choice.suite.keyExchange === 'ECDHE_ECDSA' && (settings.clientAuthentication ?? 'none') !== 'none';
}

export const CERTIFICATE_REQUEST = encodeCertificateRequest({
  certificateTypes: Uint8Array.of(CLIENT_CERTIFICATE_TYPE_ECDSA_SIGN),
  signatureAlgorithms: [ecdsa_secp256r1_sha256],
  authorities: [],
});
