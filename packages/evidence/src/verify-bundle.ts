import { createHash, type X509Certificate } from 'node:crypto';
import { BUNDLE_FORMAT, BUNDLE_SHAPE } from './bundle-shape.ts';
import { keyInvariants } from './checker/key-invariants.ts';
import { bundleRoot, merkleRoot } from './digests.ts';
import { evidenceError } from './errors.ts';
import type { EvidenceBundle, MeterEvidence, SwitchEvidence } from './evidence.ts';
import { readCertificate, readParties } from './verify-parties.ts';
import { meterSignatureProblems, nonceOf, switchSignatureProblems } from './verify-signatures.ts';

/** One thing that was verified. */
export interface BundleCheck {
  readonly name: string;
  readonly holds: boolean;
  readonly detail: string;
}

const SHOWN = 5;

/**
 * The bundle in a JSON text.
 *
 * @throws SefleetError `EVIDENCE_MALFORMED`, which names the first field that has not the form.
 */
export function parseBundle(text: string): EvidenceBundle {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw evidenceError('EVIDENCE_MALFORMED', 'the file is no JSON', { cause });
  }
  if (isBundle(value)) return value;
  const [problem = ''] = BUNDLE_SHAPE(value, 'bundle');
  throw evidenceError('EVIDENCE_MALFORMED', `the file is no ${BUNDLE_FORMAT}: ${problem}`);
}

/**
 * Verifies a bundle: certificates against the authority, signatures against certificates, counter-signatures
 * against the evidence, every switch against its meters, and what the evidence says about keys and probes.
 *
 * @param trusted The authority that the verifier trusts, PEM, got by another way than the bundle. Without one
 *   the bundle is only found to agree with itself: whoever has an authority of their own can make such a one.
 */
export function verifyBundle(bundle: EvidenceBundle, trusted?: string): readonly BundleCheck[] {
  const { parties, problems } = readParties(bundle);
  const meters = `${bundle.meters.length} meters`;
  return [
    checkAuthority(bundle, trusted),
    toCheck('certificates', problems, `${parties.size} parties`),
    toCheck(
      'every meter belongs to a switch, and none is missing',
      bundle.switches.flatMap((order) => memberProblems(order, bundle)).concat(strayProblems(bundle)),
      `${bundle.switches.length} switches`,
    ),
    toCheck(
      'mandates, agreements and counter-signatures',
      bundle.meters.flatMap((meter) => meterSignatureProblems(meter, parties)).concat(nonceProblems(bundle)),
      meters,
    ),
    toCheck(
      'signatures under the switches',
      bundle.switches.flatMap((order) => switchSignatureProblems(order, bundle, parties)),
      `${bundle.switches.length} switches`,
    ),
    ...keyInvariants(bundle),
    checkRoot(bundle),
  ];
}

function isBundle(value: unknown): value is EvidenceBundle {
  return BUNDLE_SHAPE(value, 'bundle').length === 0;
}

function checkAuthority({ authority }: EvidenceBundle, trusted: string | undefined): BundleCheck {
  const own = readCertificate(authority);
  const print = own === undefined ? 'none' : fingerprint(own);
  if (trusted === undefined)
    return toCheck('authority', own === undefined ? ['no certificate'] : [], `${print}: compare with yours`);
  const expected = readCertificate(trusted);
  const same = own !== undefined && expected !== undefined && print === fingerprint(expected);
  return toCheck('authority', same ? [] : [`${print} is not the one that you trust`], `${print}, trusted`);
}

/** A switch has as many meters as it says, each once, and they have its root. */
function memberProblems(order: SwitchEvidence, { meters, switches }: EvidenceBundle): string[] {
  const name = `switch ${order.switchId}`;
  if (switches.filter(({ switchId }) => switchId === order.switchId).length > 1)
    return [`${name} is there twice`];
  const own = meters.filter(({ switchId }) => switchId === order.switchId);
  const problems: string[] = [];
  if (own.length !== order.meters) problems.push(`${name} has ${own.length} meters, not ${order.meters}`);
  if (new Set(own.map(({ endpoint }) => endpoint)).size !== own.length)
    problems.push(`${name} has a meter twice`);
  if (merkleRoot(own) !== order.root) problems.push(`${name}: the root is not that of its meters`);
  const other = own.find(
    ({ verb, from, to, cutOverAt }) =>
      verb !== order.verb || from !== order.from || to !== order.to || cutOverAt !== order.cutOverAt,
  );
  if (other !== undefined) problems.push(`${other.endpoint} is of another switch than ${name}`);
  return problems;
}

function strayProblems({ meters, switches }: EvidenceBundle): string[] {
  const known = new Set(switches.map(({ switchId }) => switchId));
  return meters
    .filter(({ switchId }) => !known.has(switchId))
    .map(({ endpoint, switchId }) => `${endpoint} is of switch ${switchId}, which is not there`);
}

/** A mandate is given once: no two meters or switches have the same. */
function nonceProblems({ meters }: EvidenceBundle): string[] {
  const seen = new Map<string, MeterEvidence>();
  return meters.flatMap((meter) => {
    if (meter.mandate === undefined) return [];
    const nonce = `${meter.mandate.party} ${nonceOf(meter.mandate.text)}`;
    const before = seen.get(nonce);
    seen.set(nonce, meter);
    return before === undefined ? [] : [`${meter.endpoint} has the mandate of ${before.endpoint}`];
  });
}

function checkRoot({ switches, root }: EvidenceBundle): BundleCheck {
  const found = bundleRoot(switches);
  return toCheck('root', found === root ? [] : [`the root is ${found}, the bundle says ${root}`], root);
}

function fingerprint({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('hex');
}

function toCheck(name: string, problems: readonly string[], detail: string): BundleCheck {
  const more = problems.length > SHOWN ? ` and ${problems.length - SHOWN} more` : '';
  const found = problems.slice(0, SHOWN).join('; ') + more;
  return { name, holds: problems.length === 0, detail: problems.length === 0 ? detail : found };
}
