export { createRootAuthority, issueCertificate } from './authority.ts';
export type { CertificateRequest, Credential } from './authority.ts';
