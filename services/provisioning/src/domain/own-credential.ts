import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { provisioningError } from '../errors.ts';

/** The forms in which a device's owner can tell who the device is. */
type OwnCredentialForm = 'public-key' | 'certificate' | 'authority';

/** A credential that a device's owner made; of its private key nothing is known here. */
export interface OwnCredential {
  readonly form: OwnCredentialForm;
  /** What servers look it up by. */
  readonly reference: string;
  /** DER certificate of an authority; empty for the other forms. */
  readonly authority: Uint8Array;
}

const NOTHING = new Uint8Array(0);
/** A certificate chain of a constrained device is far smaller. */
const BYTES_MAX = 16_384;

/**
 * Checks what an owner handed in.
 *
 * @param der SubjectPublicKeyInfo of a `public-key`, else an X.509 certificate
 * @throws SefleetError `PROVISIONING_REQUEST_INVALID`
 */
export function toOwnCredential(form: OwnCredentialForm, der: Uint8Array, endpoint: string): OwnCredential {
  if (der.length === 0 || der.length > BYTES_MAX) throw invalid(form, `has 1 to ${BYTES_MAX} bytes`);
  if (form === 'public-key') {
    checkKey(form, () => createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' }));
    return { form, reference: `${form}:${digest(der)}`, authority: NOTHING };
  }
  const certificate = read(form, () => new X509Certificate(der));
  if (form === 'certificate') {
    checkKey(form, () => certificate.publicKey);
    return { form, reference: `${form}:${digest(der)}`, authority: NOTHING };
  }
  if (!certificate.ca) throw invalid(form, 'is no certificate of an authority');
  return { form, reference: `${form}:${endpoint}`, authority: der };
}

/** The cipher suites of constrained devices sign with ECDSA on P-256 (RFC 7925 §4.4). */
function checkKey(form: OwnCredentialForm, parse: () => KeyObject): void {
  const { asymmetricKeyType, asymmetricKeyDetails } = read(form, parse);
  if (asymmetricKeyType !== 'ec' || asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw invalid(form, 'is not for an ECDSA key on P-256');
  }
}

function read<T>(form: OwnCredentialForm, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw invalid(form, 'is not DER of its kind', cause);
  }
}

function digest(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function invalid(form: OwnCredentialForm, message: string, cause?: unknown): Error {
  return provisioningError('PROVISIONING_REQUEST_INVALID', `the ${form} ${message}`, { cause });
}
