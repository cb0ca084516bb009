import { createHash } from 'node:crypto';
import { bytesEqual, concatBytes } from '@sefleet/bytes';
import {
  coveredByToken,
  decodeTlvs,
  encodeReceipt,
  findTlv,
  LIFE_CYCLE_LOCKED,
  PRIVILEGE,
  STATUS_WORD,
  verifyGp,
} from '@sefleet/globalplatform';
import type { Aid, Confirmation, ReceiptContext } from '@sefleet/globalplatform';
import type { Authority } from '../card/authority.ts';
import type { CardState, Entry, LoadFileEntry, SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { RECEIPT_KEY, TOKEN_KEY, verificationKey } from '../registry/special-keys.ts';
import { ancestry, channelKeys, hasPrivilege, isBelow } from '../registry/registry.ts';
import { NO_DATA, requireSession, requireUnlockedCard, selectedDomain } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** Token digests that a card remembers; the oldest goes first. */
const MAX_USED_TOKENS = 128;
const DIGEST_LENGTH = 8;
const WITHOUT_RECEIPT = Uint8Array.of(0);
const MAX_COUNTER = 0xffff;

/**
 * The Security Domain that performs a command, authenticated with its own keys or inherited ones, and not
 * locked. Keys of a domain above count for as long as they would open a session: not any more when the domain
 * has got its own meanwhile, in this session or another.
 */
export function performingDomain(context: CommandContext): SecurityDomain {
  const { keyOwner } = requireSession(context);
  const domain = selectedDomain(context);
  const stands = keyOwner === domain.aid || keyOwner === channelKeys(context.tx.state, domain, 0)?.owner.aid;
  if (!stands) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const isIssuer = domain.aid === context.tx.state.entries[0]?.aid;
  if (!isIssuer && (domain.lifeCycle & LIFE_CYCLE_LOCKED) !== 0) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  return domain;
}

/** The performing domain when it has Authorized or Delegated Management and the card is not locked. */
export function managingDomain(context: CommandContext): SecurityDomain {
  const domain = performingDomain(context);
  const { privileges } = domain;
  requireUnlockedCard(context);
  const manages = (privileges & (PRIVILEGE.AUTHORIZED_MANAGEMENT | PRIVILEGE.DELEGATED_MANAGEMENT)) !== 0;
  return manages ? domain : refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
}

/**
 * Authorized Management needs nothing more; Delegated Management needs a token over the command (GPCS 2.3.1
 * §9.1.3).
 *
 * @param covered The data field up to the token.
 * @param parameters The install parameters, in which a token may name its card and itself (tag B6).
 * @param beginning What the token covers of earlier commands of a combined process.
 */
export function authorize(
  context: CommandContext,
  covered: Uint8Array,
  token: Uint8Array,
  parameters: Uint8Array = NO_DATA,
  beginning: Uint8Array = NO_DATA,
): Authority {
  const { tx } = context;
  const domain = managingDomain(context);
  if (hasPrivilege(domain, PRIVILEGE.AUTHORIZED_MANAGEMENT))
    return { domain, delegated: false, token: undefined };
  const verifier = holderOf(tx.state, domain, PRIVILEGE.TOKEN_VERIFICATION);
  const key = orRefuse(
    verifier && verificationKey(verifier, TOKEN_KEY),
    STATUS_WORD.CONDITIONS_NOT_SATISFIED,
  );
  const input = concatBytes(beginning, coveredByToken(context.command, covered));
  if (token.length === 0 || !verifyGp(key, input, token)) {
    return refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  }
  return { domain, delegated: true, token: useToken(context, token, input, parameters) };
}

/** The response of a command: a receipt when it was delegated and the card has a receipt key, else none. */
export function confirm(context: CommandContext, authority: Authority, done: ReceiptContext): Uint8Array {
  if (!authority.delegated) return WITHOUT_RECEIPT;
  const { tx } = context;
  const maker = holderOf(tx.state, authority.domain, PRIVILEGE.RECEIPT_GENERATION);
  const key = maker && verificationKey(maker, RECEIPT_KEY);
  if (key?.kind !== 'aes') return WITHOUT_RECEIPT;
  const counter = tx.state.confirmationCounter + 1;
  if (counter > MAX_COUNTER) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  tx.patch({ confirmationCounter: counter });
  const { token } = authority;
  const confirmation = { counter, cardUniqueData: cardUniqueData(tx.state) };
  return encodeReceipt(key.key, token === undefined ? confirmation : { ...confirmation, token }, done);
}

/** Issuer identification and card image number, joined (GPCS 2.3.1 §11.1.6). */
export function cardUniqueData(state: CardState): Uint8Array {
  const [issuer] = state.entries;
  if (issuer?.kind !== 'security-domain') return new Uint8Array(0);
  const value = (tag: number): Uint8Array =>
    issuer.objects.find((object) => object.tag === tag)?.value ?? new Uint8Array(0);
  return concatBytes(value(0x42), value(0x45));
}

/** Ends the command with 6985 unless `target` is in the hierarchy of `domain`, or `domain` has `global`. */
export function requireReach(
  context: CommandContext,
  domain: SecurityDomain,
  target: Entry | LoadFileEntry,
  global: number,
): void {
  const { state } = context.tx;
  if (!hasPrivilege(domain, global) && !isBelow(state, target, domain.aid)) {
    refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
}

/** Ends the command with 6985 while `target` is selected on a logical channel. */
export function requireNotSelected(context: CommandContext, target: Aid): void {
  for (const channel of context.card.channels.values()) {
    if (channel.selected === target) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
}

function holderOf(state: CardState, domain: SecurityDomain, privilege: number): SecurityDomain | undefined {
  return ancestry(state, domain).find((candidate) => hasPrivilege(candidate, privilege));
}

/**
 * A token that names a card (42, 45) holds on that card only; one with an identifier (93) holds once. The
 * digest of what each used one signed is kept, so that neither replay nor deletion and repetition gets past.
 */
function useToken(
  context: CommandContext,
  token: Uint8Array,
  input: Uint8Array,
  parameters: Uint8Array,
): Confirmation['token'] {
  const { tx } = context;
  const described = parameters.length === 0 ? undefined : findTlv(decodeTlvs(parameters), 0xb6);
  if (described === undefined) return undefined;
  const fields = decodeTlvs(described);
  const [issuer] = tx.state.entries;
  const objects = issuer?.kind === 'security-domain' ? issuer.objects : [];
  for (const tag of [0x42, 0x45]) {
    const wanted = findTlv(fields, tag);
    const own = objects.find((object) => object.tag === tag)?.value;
    if (wanted !== undefined && (own === undefined || !bytesEqual(wanted, own))) {
      refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
    }
  }
  const identifier = findTlv(fields, 0x93);
  if (identifier === undefined) return undefined;
  // What was signed, and not the signature: of an ECDSA signature everybody can make a second one.
  const short = sha256(input).slice(0, DIGEST_LENGTH);
  if (tx.state.usedTokens.some((used) => bytesEqual(used, short)))
    refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  tx.patch({ usedTokens: [...tx.state.usedTokens.slice(1 - MAX_USED_TOKENS), short] });
  return { identifier: identifier.slice(), digest: sha256(token) };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}
