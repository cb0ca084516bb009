export { canonicalJson } from './canonical.ts';
export { checkRehearsal } from './checker/check-rehearsal.ts';
export type { BillingLine, Invariant, MeterTruth, RehearsalRecord, Verdict } from './checker/rehearsal.ts';
export { evidenceDigest, exchangeDigest, merkleRoot, sha256Hex } from './digests.ts';
export { EVIDENCE_ERRORS } from './errors.ts';
export type {
  EvidenceBundle,
  ExchangeEvidence,
  KeyStateEvidence,
  MeterEvidence,
  PartyEvidence,
  ProbeEvidence,
  ReceiptEvidence,
  SignedStatement,
  StepTiming,
} from './evidence.ts';
export { parseBundle, verifyBundle } from './verify-bundle.ts';
export type { BundleCheck } from './verify-bundle.ts';
