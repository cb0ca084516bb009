import {
  createHash,
  createPrivateKey,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from 'node:crypto';
import { decodeOnlyTlv, decodeTlvs, encodeTlv, encodeTlvs, type Tlv } from '@sefleet/globalplatform';
import { issueCertificate, type CertificateRequest, type Credential } from '@sefleet/pki';
import { provisioningError } from '../errors.ts';

const TAG = {
  SEQUENCE: 0x30,
  SET: 0x31,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  UTF8: 0x0c,
};
/**
 * Where the fields of a TBSCertificate stand (RFC 5280 §4.1): version and extensions are always there in
 * ours.
 */
const FIELD = { SERIAL: 1, SUBJECT: 5, PUBLIC_KEY: 6, EXTENSIONS: 7 } as const;
const OID_COMMON_NAME = Uint8Array.of(0x55, 0x04, 0x03);
const OID_SUBJECT_KEY_IDENTIFIER = Uint8Array.of(0x55, 0x1d, 0x0e);
const SERIAL_BYTES = 16;

/**
 * Issues certificates that differ only in subject and key, thirty times as fast as one by one: the first is
 * made by the PKI's own rules, the others take its place with their name, key and serial number, and are
 * signed anew.
 */
export class CertificatePress {
  readonly #fields: readonly Tlv[];
  readonly #algorithm: Tlv;
  readonly #key: KeyObject;
  /** The issuer's certificate, DER. */
  readonly authority: Uint8Array;

  private constructor(template: Uint8Array, issuer: Credential) {
    const [tbs, algorithm] = decodeTlvs(decodeOnlyTlv(template, TAG.SEQUENCE));
    if (tbs === undefined || algorithm === undefined) {
      throw provisioningError('PROVISIONING_REQUEST_INVALID', 'the template is no certificate');
    }
    this.#fields = decodeTlvs(tbs.value);
    this.#algorithm = algorithm;
    this.#key = createPrivateKey(issuer.privateKeyPem);
    this.authority = new X509Certificate(issuer.certificatePem).raw;
  }

  /** @param request What all certificates say, but for the subject's name and key. */
  static async create(
    issuer: Credential,
    request: Omit<CertificateRequest, 'commonName' | 'subjectPublicKey'>,
  ): Promise<CertificatePress> {
    const template = await issueCertificate(issuer, { ...request, commonName: 'template' });
    return new CertificatePress(new X509Certificate(template.certificatePem).raw, issuer);
  }

  /**
   * A certificate, DER.
   *
   * @param subjectPublicKey SubjectPublicKeyInfo, DER.
   */
  issue(commonName: string, subjectPublicKey: Uint8Array): Uint8Array {
    const fields = this.#fields.map((field, at) => {
      switch (at) {
        case FIELD.SERIAL:
          return { tag: TAG.INTEGER, value: serialNumber() };
        case FIELD.SUBJECT:
          return { ...field, value: withCommonName(field.value, commonName) };
        case FIELD.PUBLIC_KEY:
          return { ...field, value: decodeOnlyTlv(subjectPublicKey, TAG.SEQUENCE) };
        case FIELD.EXTENSIONS:
          return { ...field, value: withKeyIdentifier(field.value, subjectPublicKey) };
        default:
          return field;
      }
    });
    const tbs = encodeTlv(TAG.SEQUENCE, encodeTlvs(fields));
    const signature = sign('sha256', tbs, this.#key);
    return encodeTlv(
      TAG.SEQUENCE,
      tbs,
      encodeTlvs([this.#algorithm]),
      encodeTlv(TAG.BIT_STRING, Uint8Array.of(0), signature),
    );
  }
}

function serialNumber(): Uint8Array {
  const octets = randomBytes(SERIAL_BYTES);
  // Positive, and never with a leading zero octet (RFC 5280 §4.1.2.2).
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return octets;
}

function withCommonName(subject: Uint8Array, commonName: string): Uint8Array {
  const sets = decodeTlvs(subject).map((set) => {
    const [type] = decodeTlvs(decodeOnlyTlv(set.value, TAG.SEQUENCE));
    if (type === undefined || Buffer.compare(type.value, OID_COMMON_NAME) !== 0) return set;
    const name = encodeTlv(TAG.UTF8, Buffer.from(commonName));
    return { ...set, value: encodeTlv(TAG.SEQUENCE, encodeTlvs([type]), name) };
  });
  return encodeTlvs(sets);
}

/** RFC 5280 §4.2.1.2: SHA-1 of the bits of the public key. */
function withKeyIdentifier(extensions: Uint8Array, subjectPublicKey: Uint8Array): Uint8Array {
  const [, bits] = decodeTlvs(decodeOnlyTlv(subjectPublicKey, TAG.SEQUENCE));
  const point = bits?.value.subarray(1) ?? new Uint8Array();
  const identifier = createHash('sha1').update(point).digest();
  const list = decodeTlvs(decodeOnlyTlv(extensions, TAG.SEQUENCE)).map((extension) => {
    const [id] = decodeTlvs(extension.value);
    if (id === undefined || Buffer.compare(id.value, OID_SUBJECT_KEY_IDENTIFIER) !== 0) return extension;
    const value = encodeTlv(TAG.OCTET_STRING, encodeTlv(TAG.OCTET_STRING, identifier));
    return { ...extension, value: Buffer.concat([encodeTlvs([id]), value]) };
  });
  return encodeTlv(TAG.SEQUENCE, encodeTlvs(list));
}
