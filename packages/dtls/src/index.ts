export { CIPHER_SUITES } from './cipher-suites.ts';
export type { CipherSuite, CipherSuiteName, KeyExchange } from './cipher-suites.ts';
export type {
  KeyAgreement,
  KeyAgreementProvider,
  MasterSecretRequest,
  PskKeyProvider,
  SigningKeyProvider,
} from './credentials/key-providers.ts';
export { createSoftwareKeyAgreement } from './credentials/software-key-agreement.ts';
export { createSoftwarePsk } from './credentials/software-psk.ts';
export { createSoftwareSigningKey } from './credentials/software-signing-key.ts';
export { createX509Trust } from './credentials/x509-trust.ts';
export type { CertificateRefusal, X509TrustOptions } from './credentials/x509-trust.ts';
export { createDtlsEndpoint } from './endpoint/create-endpoint.ts';
export type { DtlsEndpoint } from './endpoint/dtls-endpoint.ts';
export { DTLS_ERRORS } from './errors.ts';
export { createResumptionCache } from './session/resumption-cache.ts';
export type { ResumptionCache } from './session/resumption-cache.ts';
export type { RecordCipher, RecordCipherJob } from './crypto/record-cipher.ts';
export type { NamedGroup } from './constants.ts';
export { DEFAULT_FLIGHT_TIMERS, DEFAULT_LIMITS } from './settings.ts';
export type {
  DtlsClientSettings,
  DtlsEndpointOptions,
  DtlsEvents,
  DtlsLimits,
  DtlsServerSettings,
  DtlsSessionInfo,
  FlightTimerSettings,
  HandshakeFailureReason,
  HandshakeFailureReport,
  PeerTrust,
  SessionCloseReason,
  TrustSubject,
} from './settings.ts';
