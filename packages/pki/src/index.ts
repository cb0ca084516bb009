export { createRootAuthority, issueCertificate } from './authority.ts';
export type { CertificateRequest, Credential } from './authority.ts';
export { createRevocationList, normalSerialNumber, readRevocationList } from './revocation-list.ts';
export type { RevocationList, RevokedCertificate } from './revocation-list.ts';
