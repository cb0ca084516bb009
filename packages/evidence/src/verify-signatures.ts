import { verify } from 'node:crypto';
import { canonicalJson } from './canonical.ts';
import type { EvidenceBundle, Hop, MeterEvidence, SignedStatement, SwitchEvidence } from './evidence.ts';
import { hasBystander, rulesOf } from './checker/verb-rules.ts';
import { meterStatement, switchStatement } from './statements.ts';
import type { VerifiedParty } from './verify-parties.ts';

type Parties = ReadonlyMap<string, VerifiedParty>;

/** Who may give the order to switch, by role: the customer, or the owner of what is leased. */
const CUSTOMERS = ['service-subscriber', 'se-issuer'];
/**
 * Without a customer the authority orders. For a forced switch the old supplier signs nothing, so that nobody
 * else may call a switch forced.
 */
const AUTHORITY = ['controlling-authority'];
const ORDERED_BY_AUTHORITY: ReadonlySet<string> = new Set(['forced-switch', 'erroneous-transfer']);

/** What is wrong with the signatures under one meter's evidence. */
export function meterSignatureProblems(meter: MeterEvidence, parties: Parties): string[] {
  const problems = [
    ...mandateProblems(meter, parties),
    ...agreementProblems(meter, parties),
    ...closingProblems(meter.closing, meter, parties, (hop) => meterStatement(meter, hop)),
  ];
  return problems.map((problem) => `${meter.endpoint}: ${problem}`);
}

/** What is wrong with the signatures under a switch. */
export function switchSignatureProblems(
  order: SwitchEvidence,
  bundle: EvidenceBundle,
  parties: Parties,
): string[] {
  const text = switchStatement(order, bundle);
  return closingProblems(order.closing, order, parties, () => text).map(
    (problem) => `switch ${order.switchId}: ${problem}`,
  );
}

/** The mandate is about this meter, this change and this instant, and somebody gave it who may. */
function mandateProblems(meter: MeterEvidence, parties: Parties): string[] {
  const { mandate, endpoint, switchId, verb, from, to, cutOverAt, state } = meter;
  if (mandate === undefined) return state === 'confirmed' ? ['nobody gave a mandate'] : [];
  if (hasBystander(meter)) return ownerMandateProblems(meter, mandate, parties);
  const { nonce, ...said } = readStatement(mandate.text);
  const expected = { endpoint, switchId, mandate: verb, from, to, cutOverAt };
  if (typeof nonce !== 'string' || canonicalJson(said) !== canonicalJson(expected))
    return ['the mandate is for something else'];
  const giver = parties.get(mandate.party);
  const mayGive = ORDERED_BY_AUTHORITY.has(verb) ? AUTHORITY : CUSTOMERS;
  if (giver === undefined || !mayGive.some((role) => giver.roles.has(role)))
    return [`${mandate.party} gives no mandate for a ${verb}`];
  return signatureProblems(mandate, parties);
}

/**
 * That somebody comes beside another, or goes, is the owner's to say, and nobody else's: before it is known
 * when and as which switch, for one card and a time.
 */
function ownerMandateProblems(
  { endpoint, verb, from, to, cutOverAt, cardCertificate = '' }: MeterEvidence,
  mandate: SignedStatement,
  parties: Parties,
): string[] {
  const { nonce, card, validFrom, validUntil, ...said } = readStatement(mandate.text);
  const expected = { endpoint, mandate: verb, insurer: verb === 'add' ? to : from };
  if (
    typeof nonce !== 'string' ||
    typeof card !== 'string' ||
    canonicalJson(said) !== canonicalJson(expected)
  )
    return ['the mandate is for something else'];
  // The card's own name stands in its certificate, tag 5F20.
  const length = (card.length / 2).toString(16).padStart(2, '0');
  if (card === '' || (cardCertificate !== '' && !cardCertificate.includes(`5f20${length}${card}`)))
    return ['the mandate is for another card'];
  if (!(Number(validFrom) <= cutOverAt && cutOverAt <= Number(validUntil)))
    return ['the mandate was not in force at the instant'];
  if (parties.get(mandate.party)?.roles.has('service-subscriber') !== true)
    return [`${mandate.party} is not the owner and gives no mandate to ${verb}`];
  return signatureProblems(mandate, parties);
}

/** The new supplier says of this card that it agreed with it. */
function agreementProblems({ agreement, endpoint, switchId, to }: MeterEvidence, parties: Parties): string[] {
  if (agreement === undefined) return [];
  const said = readStatement(agreement.text);
  const about = said['endpoint'] === endpoint && said['switchId'] === switchId;
  if (agreement.party !== to || !about) return ['the agreement is of something else'];
  return signatureProblems(agreement, parties);
}

/** Exactly those signed who have to, each what it has to. */
function closingProblems(
  closing: readonly SignedStatement[],
  { verb, from, to }: Pick<SwitchEvidence, 'verb' | 'from' | 'to'>,
  parties: Parties,
  textFor: (hop: Hop) => string,
): string[] {
  const has = (role: string) => (party: VerifiedParty | undefined) => party?.roles.has(role) === true;
  const is = (name: string) => (party: VerifiedParty | undefined) => party?.name === name;
  const all = [
    ['from', is(from)],
    ['to', is(to)],
    ['issuer', has('se-issuer')],
    ['tsm', has('tsm')],
  ] as const;
  // A supplier that has failed signs nothing, nor does one whom it does not concern.
  const { comes, goes } = rulesOf({ verb });
  const expected = all.filter(([hop]) => {
    if (hop === 'from') return goes && verb !== 'forced-switch';
    return hop !== 'to' || comes;
  });
  if (closing.length !== expected.length)
    return [`${closing.length} counter-signatures, not ${expected.length}`];
  return closing.flatMap((statement, i) => {
    const [hop, fits] = expected[i] ?? [];
    if (hop === undefined || fits?.(parties.get(statement.party)) !== true)
      return [`${statement.party} signed in place of another`];
    if (statement.text !== textFor(hop)) return [`${statement.party} signed other evidence`];
    return signatureProblems(statement, parties);
  });
}

function signatureProblems({ party, text, signature }: SignedStatement, parties: Parties): string[] {
  const key = parties.get(party)?.key;
  const holds =
    key !== undefined &&
    verify('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64'));
  return holds ? [] : [`${party}'s signature does not verify`];
}

/** What makes a mandate one of a kind; the whole text where it names nothing. */
export function nonceOf(text: string): string {
  const { nonce } = readStatement(text);
  return typeof nonce === 'string' ? nonce : text;
}

function readStatement(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
  } catch {
    // What is no JSON says nothing, and is found to be about something else.
    return {};
  }
}
