import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { fromHex } from '@sefleet/bytes';
import { decodeOnlyTlv, decodeTlvs, encodeTlv, encodeTlvs, type Tlv } from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { simulationError } from '../errors.ts';

/** What a TLS client needs for one short session. */
export interface SessionCredential {
  readonly privateKeyPem: string;
  /** The session's certificate and then the device's, PEM. */
  readonly certificateChainPem: string;
  readonly notAfterMs: number;
}

/** How a session certificate is made. */
export interface SessionCredentialRequest {
  /** Name of the device, which the session's certificate carries too. */
  readonly endpoint: string;
  /** DER certificates, the device's own first; it may issue (pathLenConstraint 0). */
  readonly certificateChain: readonly Uint8Array[];
  readonly nowMs: number;
  readonly lifetimeMs: number;
  readonly rng: Rng;
  /**
   * The DER ECDSA signature over the SHA-256 digest of `message`, by the device key inside the secure
   * element.
   */
  readonly sign: (message: Uint8Array) => Uint8Array;
}

/**
 * A key pair that lives as long as one session, and the certificate that the secure element issues for it
 * with the device key, which never leaves it: the short-life key of GlobalPlatform's IoT paper, §3.6.
 *
 * @throws SefleetError `SIM_CERTIFICATE_INVALID` when the device certificate is none.
 */
export function createSessionCredential(request: SessionCredentialRequest): SessionCredential {
  const [device] = request.certificateChain;
  if (device === undefined)
    throw simulationError('SIM_CERTIFICATE_INVALID', 'the card has no device certificate');
  const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const notAfterMs = request.nowMs + request.lifetimeMs;
  const session = issue(device, keys.publicKey.export({ format: 'der', type: 'spki' }), notAfterMs, request);
  return {
    privateKeyPem: keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    certificateChainPem: [session, device].map((der) => new X509Certificate(der).toString()).join(''),
    notAfterMs,
  };
}

function issue(
  deviceCertificate: Uint8Array,
  publicKey: Uint8Array,
  notAfterMs: number,
  { endpoint, nowMs, rng, sign }: SessionCredentialRequest,
): Uint8Array {
  const issuer = subjectOf(deviceCertificate);
  const toBeSigned = encodeTlv(
    DER.SEQUENCE,
    encodeTlv(DER.VERSION, VERSION_3),
    encodeTlv(DER.INTEGER, serialNumber(rng)),
    ECDSA_WITH_SHA256,
    issuer.name,
    // A device whose clock runs a little behind the broker's is let in all the same.
    encodeTlv(DER.SEQUENCE, time(nowMs - CLOCK_SKEW_MS), time(notAfterMs)),
    commonName(endpoint),
    publicKey,
    encodeTlv(DER.EXTENSIONS, encodeTlv(DER.SEQUENCE, ...extensions(publicKey, issuer.publicKey))),
  );
  const signature = encodeTlv(DER.BIT_STRING, NO_UNUSED_BITS, sign(toBeSigned));
  return encodeTlv(DER.SEQUENCE, toBeSigned, ECDSA_WITH_SHA256, signature);
}

/** Name and key of a certificate's subject, as they stand in it. */
function subjectOf(certificate: Uint8Array): { readonly name: Uint8Array; readonly publicKey: Uint8Array } {
  try {
    const [toBeSigned] = decodeTlvs(decodeOnlyTlv(certificate, DER.SEQUENCE));
    const fields = decodeTlvs(toBeSigned?.value ?? new Uint8Array(0));
    return { name: field(fields, SUBJECT_AT), publicKey: field(fields, SUBJECT_AT + 1) };
  } catch (cause) {
    throw simulationError('SIM_CERTIFICATE_INVALID', 'the device certificate cannot be read', { cause });
  }
}

function field(fields: readonly Tlv[], at: number): Uint8Array {
  const found = fields[at];
  if (found === undefined) throw simulationError('SIM_CERTIFICATE_INVALID', 'a field is missing');
  return encodeTlvs([found]);
}

/** No authority; signatures only; for TLS clients; both keys by their hash (RFC 5280 §4.2.1). */
function extensions(subjectKey: Uint8Array, issuerKey: Uint8Array): readonly Uint8Array[] {
  return [
    extension(OID.BASIC_CONSTRAINTS, encodeTlv(DER.SEQUENCE), true),
    extension(OID.KEY_USAGE, encodeTlv(DER.BIT_STRING, DIGITAL_SIGNATURE), true),
    extension(OID.EXTENDED_KEY_USAGE, encodeTlv(DER.SEQUENCE, OID.CLIENT_AUTH), false),
    extension(OID.SUBJECT_KEY_ID, encodeTlv(DER.OCTET_STRING, keyIdentifier(subjectKey)), false),
    extension(
      OID.AUTHORITY_KEY_ID,
      encodeTlv(DER.SEQUENCE, encodeTlv(0x80, keyIdentifier(issuerKey))),
      false,
    ),
  ];
}

function extension(oid: Uint8Array, value: Uint8Array, critical: boolean): Uint8Array {
  return encodeTlv(
    DER.SEQUENCE,
    oid,
    critical ? TRUE : new Uint8Array(0),
    encodeTlv(DER.OCTET_STRING, value),
  );
}

/** SHA-1 of the public key's bits, as RFC 5280 §4.2.1.2 suggests; an identifier, not a security measure. */
function keyIdentifier(subjectPublicKeyInfo: Uint8Array): Uint8Array {
  const [, bits] = decodeTlvs(decodeOnlyTlv(subjectPublicKeyInfo, DER.SEQUENCE));
  return createHash('sha1')
    .update(bits?.value.subarray(1) ?? new Uint8Array(0))
    .digest();
}

function commonName(text: string): Uint8Array {
  const attribute = encodeTlv(
    DER.SEQUENCE,
    OID.COMMON_NAME,
    encodeTlv(DER.UTF8_STRING, Buffer.from(text, 'utf8')),
  );
  return encodeTlv(DER.SEQUENCE, encodeTlv(DER.SET, attribute));
}

/** UTCTime until 2049, GeneralizedTime after it (RFC 5280 §4.1.2.5). */
function time(atMs: number): Uint8Array {
  const text = new Date(atMs).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
  const early = Number(text.slice(0, 4)) < 2050;
  return encodeTlv(
    early ? DER.UTC_TIME : DER.GENERALIZED_TIME,
    Buffer.from(early ? text.slice(2) : text, 'ascii'),
  );
}

/** Positive, without a leading zero octet. */
function serialNumber(rng: Rng): Uint8Array {
  const octets = rng.bytes(16);
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return octets;
}

const CLOCK_SKEW_MS = 300_000;
/** Number of the subject among the fields of a TBSCertificate of version 3 (RFC 5280 §4.1). */
const SUBJECT_AT = 5;
const DER = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
  VERSION: 0xa0,
  EXTENSIONS: 0xa3,
} as const;
const VERSION_3 = fromHex('020102');
const TRUE = fromHex('0101ff');
const NO_UNUSED_BITS = Uint8Array.of(0);
/** Bit 0 of KeyUsage: seven unused bits follow. */
const DIGITAL_SIGNATURE = fromHex('0780');
const ECDSA_WITH_SHA256 = fromHex('300a06082a8648ce3d040302');
const OID = {
  COMMON_NAME: fromHex('0603550403'),
  SUBJECT_KEY_ID: fromHex('0603551d0e'),
  KEY_USAGE: fromHex('0603551d0f'),
  BASIC_CONSTRAINTS: fromHex('0603551d13'),
  AUTHORITY_KEY_ID: fromHex('0603551d23'),
  EXTENDED_KEY_USAGE: fromHex('0603551d25'),
  CLIENT_AUTH: fromHex('06082b06010505070302'),
} as const;
