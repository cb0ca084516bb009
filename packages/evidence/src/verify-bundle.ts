import { verify, X509Certificate, type KeyObject } from 'node:crypto';
import { fromHex } from '@sefleet/bytes';
import { evidenceDigest, merkleRoot } from './digests.ts';
import { evidenceError } from './errors.ts';
import type { EvidenceBundle, MeterEvidence, SignedStatement } from './evidence.ts';

/** One thing that was verified. */
export interface BundleCheck {
  readonly name: string;
  readonly holds: boolean;
  readonly detail: string;
}

const FORMAT: EvidenceBundle['format'] = 'sefleet-evidence-bundle-1';

/**
 * The bundle in a JSON text.
 *
 * @throws SefleetError `EVIDENCE_MALFORMED`.
 */
export function parseBundle(text: string): EvidenceBundle {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw evidenceError('EVIDENCE_MALFORMED', 'the file is no JSON', { cause });
  }
  if (isBundle(value)) return value;
  throw evidenceError('EVIDENCE_MALFORMED', `the file is no ${FORMAT}`);
}

/**
 * Verifies a bundle with nothing but itself: certificates against the authority, signatures against
 * certificates, counter-signatures against the evidence, and the root.
 */
export function verifyBundle(bundle: EvidenceBundle): readonly BundleCheck[] {
  const keys = new Map<string, KeyObject>();
  const certificateProblems: string[] = [];
  const authority = readCertificate(bundle.authority);
  for (const party of bundle.parties) {
    const certificate = readCertificate(fromHex(party.certificate));
    const named = certificate?.subject.split('\n').includes(`CN=${party.name}`) === true;
    if (
      certificate === undefined ||
      authority === undefined ||
      !named ||
      !certificate.verify(authority.publicKey)
    ) {
      certificateProblems.push(`${party.name}: the certificate is not the authority's`);
    } else keys.set(party.name, certificate.publicKey);
  }
  const signatureProblems = bundle.meters.flatMap((meter) => meterProblems(meter, keys));
  const root = merkleRoot(bundle.meters);
  return [
    toCheck('certificates', certificateProblems, `${keys.size} parties`),
    toCheck('statements and counter-signatures', signatureProblems, `${bundle.meters.length} meters`),
    toCheck(
      'root',
      root === bundle.root ? [] : [`the root is ${root}, the bundle says ${bundle.root}`],
      root,
    ),
  ];
}

/**
 * The format is named and its lists are there; what then is missing in an entry, a check reports as not
 * holding.
 */
function isBundle(value: unknown): value is EvidenceBundle {
  if (typeof value !== 'object' || value === null) return false;
  const named = 'format' in value && value.format === FORMAT;
  return (
    named &&
    'meters' in value &&
    Array.isArray(value.meters) &&
    'parties' in value &&
    Array.isArray(value.parties)
  );
}

function meterProblems(meter: MeterEvidence, keys: ReadonlyMap<string, KeyObject>): string[] {
  const problems: string[] = [];
  const statements = [meter.mandate, meter.agreement, ...meter.closing].filter(
    (statement) => statement !== undefined,
  );
  for (const statement of statements) {
    if (!isSigned(statement, keys))
      problems.push(`${meter.endpoint}: ${statement.party}'s signature does not verify`);
  }
  const digest = evidenceDigest(meter);
  for (const { party, text } of meter.closing) {
    if (!text.includes(digest)) problems.push(`${meter.endpoint}: ${party} signed other evidence`);
  }
  if (meter.state === 'confirmed' && meter.closing.length === 0)
    problems.push(`${meter.endpoint}: nobody counter-signed`);
  return problems;
}

function isSigned(
  { party, text, signature }: SignedStatement,
  keys: ReadonlyMap<string, KeyObject>,
): boolean {
  const key = keys.get(party);
  if (key === undefined) return false;
  return verify(
    'sha256',
    Buffer.from(text),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64'),
  );
}

function readCertificate(certificate: string | Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate);
  } catch {
    // What is no certificate is reported as one that does not verify.
    return undefined;
  }
}

function toCheck(name: string, problems: readonly string[], detail: string): BundleCheck {
  return {
    name,
    holds: problems.length === 0,
    detail: problems.length === 0 ? detail : problems.slice(0, 5).join('; '),
  };
}
