export { canonicalJson } from './canonical.ts';
export { checkRehearsal } from './checker/check-rehearsal.ts';
export type { Invariant } from './checker/invariant.ts';
export type {
  BillingLine,
  FaultCount,
  IntervalCount,
  MeterAccount,
  MeterTruth,
  Misbilling,
  RehearsalRecord,
  Verdict,
} from './checker/rehearsal.ts';
export { bundleRoot, exchangeDigest, merkleRoot, sha256Hex } from './digests.ts';
export { EVIDENCE_ERRORS } from './errors.ts';
export type {
  EvidenceBundle,
  AccountEvidence,
  ExchangeEvidence,
  Hop,
  KeyStateEvidence,
  MeterEvidence,
  PartyEvidence,
  ProbeEvidence,
  ReceiptEvidence,
  SignedStatement,
  StepTiming,
  SwitchEvidence,
} from './evidence.ts';
export { isSwitchReason, SWITCH_REASONS, type ReasonMeaning, type SwitchReason } from './reasons.ts';
export { meterStatement, signersOf, switchStatement } from './statements.ts';
export { parseBundle, verifyBundle } from './verify-bundle.ts';
export type { BundleCheck } from './verify-bundle.ts';
