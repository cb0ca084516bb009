import { canonicalJson } from './canonical.ts';
import { evidenceDigest, hopChain, sha256Hex } from './digests.ts';
import type { EvidenceBundle, Hop, MeterEvidence, PartyEvidence, SwitchEvidence } from './evidence.ts';

/** The parties of a switch, by what they do in it. */
export interface Signers {
  readonly issuer: string;
  readonly tsm: string;
}

/**
 * Verbs for which a party is not asked: one that has failed, or one whom it does not concern, and who need
 * not learn of it.
 */
const NOT_ASKED: ReadonlyMap<string, Hop> = new Map([
  ['forced-switch', 'from'],
  ['add', 'from'],
  ['remove', 'to'],
]);

/** Who has to counter-sign, in order, and as which hop each saw the exchanges. */
export function signersOf(
  { verb, from, to }: Pick<SwitchEvidence, 'verb' | 'from' | 'to'>,
  { issuer, tsm }: Signers,
): readonly (readonly [party: string, hop: Hop])[] {
  const all = [
    [from, 'from'],
    [to, 'to'],
    [issuer, 'issuer'],
    [tsm, 'tsm'],
  ] as const;
  return all.filter(([, hop]) => hop !== NOT_ASKED.get(verb));
}

/** What a party signs under the evidence of one meter: the evidence, and its own chain of exchanges. */
export function meterStatement(meter: MeterEvidence, hop: Hop): string {
  const { endpoint, switchId, exchanges } = meter;
  return canonicalJson({
    endpoint,
    switchId,
    evidence: evidenceDigest(meter),
    exchanges: hopChain(exchanges, hop),
  });
}

/** What parties sign under a whole switch. */
export function switchStatement(
  order: SwitchEvidence,
  { authority, parties }: Pick<EvidenceBundle, 'authority' | 'parties'>,
): string {
  return canonicalJson({
    ...order,
    closing: [],
    authority: sha256Hex(authority.trim()),
    parties: partiesDigest(parties),
  });
}

function partiesDigest(parties: readonly PartyEvidence[]): string {
  return sha256Hex(canonicalJson(parties));
}
