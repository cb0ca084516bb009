import { concatBytes } from '@sefleet/bytes';
import type { CipherSuite } from '../cipher-suites.ts';
import { MASTER_SECRET_LENGTH } from '../constants.ts';
import type { KeyAgreement, MasterSecretRequest, PskKeyProvider } from '../credentials/key-providers.ts';
import type { RecordCipher } from '../crypto/record-cipher.ts';
import { deriveKeyBlock, deriveMasterSecret, type HandshakeSecrets } from '../crypto/key-schedule.ts';
import { HandshakeFailure } from '../errors.ts';
import { AlertDescription } from '../constants.ts';
import { SecureRecords } from '../session/secure-records.ts';

/** Both hello randoms. */
export interface Randoms {
  readonly clientRandom: Uint8Array;
  readonly serverRandom: Uint8Array;
}

/** What the master secret of this handshake is made from. */
export interface MasterSecretInputs extends Randoms {
  readonly suite: CipherSuite;
  readonly extendedMasterSecret: boolean;
  /** Hash over all messages up to ClientKeyExchange. RFC 7627 §3. */
  readonly sessionHash: () => Uint8Array;
  readonly psk: PskKeyProvider | undefined;
  readonly sharedSecret: Uint8Array | undefined;
}

/** The master secret by the suite's key exchange; synchronous when the provider is. */
export function masterSecretFor(inputs: MasterSecretInputs): Uint8Array | Promise<Uint8Array> {
  const { suite, extendedMasterSecret, psk, sharedSecret } = inputs;
  const label = extendedMasterSecret ? 'extended master secret' : 'master secret';
  const seed = extendedMasterSecret
    ? inputs.sessionHash()
    : concatBytes(inputs.clientRandom, inputs.serverRandom);
  if (suite.keyExchange === 'ECDHE_ECDSA') {
    if (sharedSecret === undefined) throw missingKey();
    return deriveMasterSecret(sharedSecret, label, seed);
  }
  if (psk === undefined) throw missingKey();
  const request: MasterSecretRequest = {
    label,
    seed,
    ...(sharedSecret === undefined ? {} : { otherSecret: sharedSecret }),
  };
  const secret = psk.masterSecret(request);
  return secret instanceof Promise ? secret.then(checkedLength) : checkedLength(secret);
}

/** The shared secret of an ephemeral key; a public key that is no point of the group is the peer's fault. */
export async function sharedSecretWith(
  agreement: KeyAgreement,
  peerPublicKey: Uint8Array,
): Promise<Uint8Array> {
  try {
    return await agreement.sharedSecret(peerPublicKey);
  } catch (error) {
    throw new HandshakeFailure(
      'illegalParameter',
      AlertDescription.illegal_parameter,
      'not a valid public key',
      error,
    );
  }
}

/** The protected epoch that the master secret opens. */
export function secureRecordsFor(
  role: 'client' | 'server',
  suite: CipherSuite,
  secrets: HandshakeSecrets,
  cipher: RecordCipher,
  cids: { readonly send?: Uint8Array | undefined; readonly receive?: Uint8Array | undefined },
): SecureRecords {
  return new SecureRecords({ suite, role, cipher, keyBlock: deriveKeyBlock(secrets) }, cids);
}

/** RFC 9146 §3: an empty connection ID means records without one. */
export function nonEmpty(cid: Uint8Array | undefined): Uint8Array | undefined {
  return cid === undefined || cid.length === 0 ? undefined : cid;
}

function checkedLength(secret: Uint8Array): Uint8Array {
  if (secret.length !== MASTER_SECRET_LENGTH) throw missingKey();
  return secret;
}

function missingKey(): HandshakeFailure {
  return new HandshakeFailure('keyProvider', AlertDescription.internal_error, 'no key for this cipher suite');
}
