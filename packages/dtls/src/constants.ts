/** Record content types: RFC 5246 §6.2.1, RFC 9146 §3 (`tls12_cid`), RFC 9853 §4. */
export const ContentType = {
  change_cipher_spec: 20,
  alert: 21,
  handshake: 22,
  application_data: 23,
  tls12_cid: 25,
  return_routability_check: 27,
} as const;

/** Handshake message types: RFC 5246 §7.4, RFC 6347 §4.3.2. */
export const HandshakeType = {
  hello_request: 0,
  client_hello: 1,
  server_hello: 2,
  hello_verify_request: 3,
  certificate: 11,
  server_key_exchange: 12,
  certificate_request: 13,
  server_hello_done: 14,
  certificate_verify: 15,
  client_key_exchange: 16,
  finished: 20,
} as const;

export const AlertLevel = { warning: 1, fatal: 2 } as const;

/** Alert descriptions: RFC 5246 §7.2, RFC 4279 §6, RFC 6066 §9, RFC 7301 §3.2. */
export const AlertDescription = {
  close_notify: 0,
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  user_canceled: 90,
  no_renegotiation: 100,
  unsupported_extension: 110,
  unrecognized_name: 112,
  unknown_psk_identity: 115,
} as const;

/** Extension types: the IANA registry "TLS ExtensionType Values". */
export const ExtensionType = {
  server_name: 0,
  supported_groups: 10,
  ec_point_formats: 11,
  signature_algorithms: 13,
  client_certificate_type: 19,
  server_certificate_type: 20,
  extended_master_secret: 23,
  record_size_limit: 28,
  connection_id: 54,
  rrc: 61,
  renegotiation_info: 0xff01,
} as const;

/** Certificate types: RFC 7250 §6 and the IANA registry "TLS Certificate Types". */
export const CertificateType = { X509: 0, RawPublicKey: 2 } as const;

/** DTLS counts versions down: 1.0 is 254.255, 1.2 is 254.253. RFC 6347 §4.1. */
export const DTLS_1_0 = 0xfeff;
export const DTLS_1_2 = 0xfefd;
/** The first byte of every DTLS 1.x version. */
export const DTLS_MAJOR = 0xfe;

/** RFC 5746 §3.3: a client says with it that it knows secure renegotiation. */
export const TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00ff;

/** RFC 8422 §5.1.1; P-256 is mandatory in RFC 7925 §4.4. */
export const NAMED_GROUPS = { x25519: 29, secp256r1: 23 } as const;

export type NamedGroup = keyof typeof NAMED_GROUPS;

/** RFC 8446 §4.2.3's spelling of SHA-256 with ECDSA, the one signature of RFC 7925 §4.4. */
export const ecdsa_secp256r1_sha256 = 0x0403;

/** RFC 8422 §5.5. */
export const CLIENT_CERTIFICATE_TYPE_ECDSA_SIGN = 64;

/** RFC 8422 §5.4: the curve is named by its number. */
export const CURVE_TYPE_NAMED_CURVE = 3;

/** 2^48 - 1: the last record sequence number of an epoch. RFC 6347 §4.1. */
export const SEQUENCE_NUMBER_MAX = 0xffff_ffff_ffff;

/** RFC 5246 §6.2.1. */
export const PLAINTEXT_MAX = 0x4000;

export const RANDOM_LENGTH = 32;
export const MASTER_SECRET_LENGTH = 48;
export const VERIFY_DATA_LENGTH = 12;
export const SESSION_ID_LENGTH_MAX = 32;
/** RFC 6347 §4.2.1. */
export const COOKIE_LENGTH_MAX = 255;
