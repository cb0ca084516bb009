import { X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { concatBytes } from '@sefleet/bytes';
import { ecPoint, ecPublicKey, signGp, verifyGp } from '../crypto/public-key.ts';
import { globalPlatformError } from '../errors.ts';
import { decodeOnlyTlv, decodeTlvs, encodeTlv, findTlv, requireTlv } from '../tlv/ber-tlv.ts';
import { KEY_TYPE } from '../content/put-key.ts';

/**
 * Key usage of a GlobalPlatform certificate (tag 95): verifying signatures, other certificates' among them,
 * or agreeing on keys.
 */
export const CERTIFICATE_USAGE = { DIGITAL_SIGNATURE: 0x0082, KEY_AGREEMENT: 0x0080 } as const;

const DER_SEQUENCE = 0x30;

/** A GlobalPlatform certificate (GPC_SPE_042 table 6-12): the elliptic-curve form, tag 7F21. */
export interface GpCertificate {
  readonly serialNumber: Uint8Array;
  /** Identifier of the certification authority, 1 to 16 bytes. */
  readonly authority: Uint8Array;
  /**
   * Identifier of the subject, 1 to 16 bytes; a card's unique data on a Controlling Authority Security
   * Domain.
   */
  readonly subject: Uint8Array;
  /** {@link CERTIFICATE_USAGE} */
  readonly usage: number;
  /** Effective and expiration date, eight decimal digits: YYYYMMDD. */
  readonly effective?: string;
  readonly expiration: string;
  /** Uncompressed public point. */
  readonly publicKey: Uint8Array;
}

/** A certificate that was read; it is not verified by that. */
export interface DecodedGpCertificate extends GpCertificate {
  /** What the signature covers. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** The certificate of `authorityKey` as a data object 7F21. */
export function encodeCertificate(certificate: GpCertificate, authorityKey: KeyObject): Uint8Array {
  const signed = encodeSigned(certificate);
  return joinSignature(signed, signGp(authorityKey, signed));
}

/**
 * {@link encodeCertificate} for an authority whose key is somewhere else.
 *
 * @param sign ECDSA over what it is given, `r ‖ s`.
 */
export async function encodeCertificateWith(
  certificate: GpCertificate,
  sign: (signed: Uint8Array) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  const signed = encodeSigned(certificate);
  return joinSignature(signed, await sign(signed));
}

/** Reads a data object 7F21; `GP_CERTIFICATE_INVALID` when it is no certificate of this form. */
export function decodeCertificate(bytes: Uint8Array): DecodedGpCertificate {
  try {
    const objects = decodeTlvs(decodeOnlyTlv(bytes, 0x7f21));
    const key = decodeTlvs(requireTlv(objects, 0x7f49));
    const effective = findTlv(objects, 0x5f25);
    const certificate: GpCertificate = {
      serialNumber: requireTlv(objects, 0x93),
      authority: requireTlv(objects, 0x42),
      subject: requireTlv(objects, 0x5f20),
      usage: requireTlv(objects, 0x95).reduce((sum, byte) => sum * 256 + byte, 0),
      ...(effective === undefined ? {} : { effective: Buffer.from(effective).toString('hex') }),
      expiration: Buffer.from(requireTlv(objects, 0x5f24)).toString('hex'),
      publicKey: requireTlv(key, KEY_TYPE.EC_PUBLIC),
    };
    const covered = objects.filter((object) => object.tag !== 0x5f37);
    const signed = concatBytes(...covered.map((object) => encodeTlv(object.tag, object.value)));
    return { ...certificate, signed, signature: requireTlv(objects, 0x5f37) };
  } catch (cause) {
    throw globalPlatformError('GP_CERTIFICATE_INVALID', 'the certificate is malformed', { cause });
  }
}

/**
 * The certificate when `authorityPoint` signed it.
 *
 * @param today `YYYYMMDD`; a card has no clock and leaves it out.
 * @throws SefleetError `GP_CERTIFICATE_INVALID`.
 */
export function verifyCertificate(
  bytes: Uint8Array,
  authorityPoint: Uint8Array,
  today?: string,
): GpCertificate {
  const certificate = decodeCertificate(bytes);
  const { signed, signature, expiration, effective } = certificate;
  if (!verifyGp({ kind: 'ec', point: authorityPoint }, signed, signature)) {
    throw globalPlatformError('GP_CERTIFICATE_INVALID', 'the certificate is not signed by this authority');
  }
  if (today !== undefined && (today > expiration || (effective !== undefined && today < effective))) {
    throw globalPlatformError('GP_CERTIFICATE_INVALID', 'the certificate is not valid today', {
      context: { today, effective, expiration },
    });
  }
  return certificate;
}

/**
 * The public point of a certificate that `authorityPoint` signed: a GlobalPlatform certificate, or a DER one
 * of X.509 (GPC_SPE_093 §6.1).
 *
 * @param usage What the certificate has to be for. `DIGITAL_SIGNATURE` for one that signs further
 *   certificates (in X.509 an authority's, RFC 5280 §4.2.1.9): a host's own certificate makes no others.
 * @throws SefleetError `GP_CERTIFICATE_INVALID`.
 */
export function verifiedPoint(bytes: Uint8Array, authorityPoint: Uint8Array, usage: number): Uint8Array {
  if (bytes[0] !== DER_SEQUENCE) {
    const certificate = verifyCertificate(bytes, authorityPoint);
    requireUsage(certificate, usage);
    return certificate.publicKey.slice();
  }
  try {
    const certificate = new X509Certificate(bytes);
    const mayBeUsed = usage !== CERTIFICATE_USAGE.DIGITAL_SIGNATURE || certificate.ca;
    if (mayBeUsed && certificate.verify(ecPublicKey(authorityPoint))) return ecPoint(certificate.publicKey);
  } catch (cause) {
    throw globalPlatformError('GP_CERTIFICATE_INVALID', 'the certificate is malformed', { cause });
  }
  throw globalPlatformError(
    'GP_CERTIFICATE_INVALID',
    'the certificate is not signed by this authority, or not for this use',
  );
}

/** @throws SefleetError `GP_CERTIFICATE_INVALID` when the certificate is for another use. */
export function requireUsage({ usage }: GpCertificate, wanted: number): void {
  if (usage === wanted) return;
  throw globalPlatformError('GP_CERTIFICATE_INVALID', 'the certificate is for another use', {
    context: { usage, wanted },
  });
}

/** The serial number of a host's certificate of either form. @throws `GP_CERTIFICATE_INVALID`. */
export function certificateSerial(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== DER_SEQUENCE) return decodeCertificate(bytes).serialNumber;
  try {
    return Uint8Array.from(Buffer.from(new X509Certificate(bytes).serialNumber, 'hex'));
  } catch (cause) {
    throw globalPlatformError('GP_CERTIFICATE_INVALID', 'the certificate is malformed', { cause });
  }
}

/**
 * The data of STORE DATA that lets only certificates with these serial numbers through for the authority's
 * key at `keyId` and `keyVersion` (GPC_SPE_093 §7.4).
 */
export function encodeAllowList(
  keyId: number,
  keyVersion: number,
  serialNumbers: readonly Uint8Array[],
): Uint8Array {
  const list = serialNumbers.map((serial) => encodeTlv(0x93, serial));
  return concatBytes(
    encodeTlv(0xa6, encodeTlv(0x83, Uint8Array.of(keyId, keyVersion))),
    encodeTlv(0x70, ...list),
  );
}

function joinSignature(signed: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeTlv(0x7f21, signed, encodeTlv(0x5f37, signature));
}

function encodeSigned(certificate: GpCertificate): Uint8Array {
  const { usage, effective } = certificate;
  const dates = effective === undefined ? [] : [encodeTlv(0x5f25, Buffer.from(effective, 'hex'))];
  return concatBytes(
    encodeTlv(0x93, certificate.serialNumber),
    encodeTlv(0x42, certificate.authority),
    encodeTlv(0x5f20, certificate.subject),
    encodeTlv(0x95, usage > 0xff ? Uint8Array.of(usage >> 8, usage) : Uint8Array.of(usage)),
    ...dates,
    encodeTlv(0x5f24, Buffer.from(certificate.expiration, 'hex')),
    encodeTlv(
      0x7f49,
      encodeTlv(KEY_TYPE.EC_PUBLIC, certificate.publicKey),
      encodeTlv(KEY_TYPE.EC_PARAMETERS, Uint8Array.of(0)),
    ),
  );
}
