/** Alert descriptions (RFC 8446 §6, RFC 5246 §7.2) as OpenSSL writes them in its error codes. */
const ALERTS: Readonly<Record<string, number>> = {
  UNEXPECTED_MESSAGE: 10,
  BAD_RECORD_MAC: 20,
  HANDSHAKE_FAILURE: 40,
  BAD_CERTIFICATE: 42,
  UNSUPPORTED_CERTIFICATE: 43,
  CERTIFICATE_REVOKED: 44,
  CERTIFICATE_EXPIRED: 45,
  CERTIFICATE_UNKNOWN: 46,
  ILLEGAL_PARAMETER: 47,
  UNKNOWN_CA: 48,
  ACCESS_DENIED: 49,
  DECODE_ERROR: 50,
  DECRYPT_ERROR: 51,
  PROTOCOL_VERSION: 70,
  INSUFFICIENT_SECURITY: 71,
  INTERNAL_ERROR: 80,
  UNRECOGNIZED_NAME: 112,
  UNKNOWN_PSK_IDENTITY: 115,
  CERTIFICATE_REQUIRED: 116,
  NO_APPLICATION_PROTOCOL: 120,
};
/** What this side says when it does not like the server's certificate, by the code of the error here. */
const REFUSALS: Readonly<Record<string, number>> = {
  CERT_HAS_EXPIRED: 45,
  CERT_NOT_YET_VALID: 45,
  CERT_REVOKED: 44,
  ERR_TLS_CERT_ALTNAME_INVALID: 46,
  DEPTH_ZERO_SELF_SIGNED_CERT: 48,
  SELF_SIGNED_CERT_IN_CHAIN: 48,
  UNABLE_TO_GET_ISSUER_CERT: 48,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 48,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 48,
};

/** The alert that ended a TLS handshake, sent or received; undefined when none did. */
export function alertOf(error: unknown): number | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string') return undefined;
  const [, name] = /^ERR_SSL_(?:SSLV3|TLSV1|TLSV13|SSL\/TLS)_(.+)$/.exec(code) ?? [];
  return (name === undefined ? undefined : ALERTS[name.replace(/^ALERT_/, '')]) ?? REFUSALS[code];
}
