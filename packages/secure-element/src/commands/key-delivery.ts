import {
  aidBytes,
  decodeScenario2bParameters,
  encodeTlv,
  KEY_TYPE,
  openScenario2b,
  scenario2bReceipt,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { AuthorityKeys, Dgi } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { SecurityDomain } from '../card/card-state.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { AUTHORITY_AUTHENTICATION_KEY, AUTHORITY_AGREEMENT_KEY, keyAt } from '../registry/special-keys.ts';
import { authorityDomain } from './authority-domain.ts';
import { cardUniqueData } from './authorization.ts';
import type { CommandContext } from './command-context.ts';
import { AUTHORITY_COUNTER } from './get-data.ts';
import { storeKeys } from './put-key.ts';

const LAST_VERSION = 0x7f;

/**
 * Keys that the Controlling Authority pushes into `domain` (GPC_SPE_007 §4, scenario #2.B): enciphered and
 * authenticated with the keys that the authority domain shares with it. A push holds once, and none holds
 * that is older than the last.
 */
export function takeDeliveredKeys(
  context: CommandContext,
  domain: SecurityDomain,
  groupings: readonly Dgi[],
): Answer {
  const { tx } = context;
  const [head] = groupings;
  const template = head?.data ?? refuse(STATUS_WORD.WRONG_DATA);
  const parameters = orRefuse(decodeScenario2bParameters(template), STATUS_WORD.WRONG_DATA);
  const { keyVersion, counter } = parameters;
  if (keyVersion < 1 || keyVersion > LAST_VERSION) return refuse(STATUS_WORD.WRONG_DATA);
  const authority = authorityDomain(context);
  const target = { cardUniqueData: cardUniqueData(tx.state), domain: aidBytes(domain.aid) };
  const keys = openScenario2b(groupings, parameters, sharedKeys(authority), target);
  if (keys === undefined || counter <= lastCounter(authority)) {
    return refuse(STATUS_WORD.SECURITY_STATUS_NOT_SATISFIED);
  }
  const replaced = domain.keySets.some((set) => set.version === keyVersion);
  const values = [keys.enc, keys.mac, keys.dek];
  storeKeys(
    context,
    domain,
    { oldVersion: replaced ? keyVersion : 0, newVersion: keyVersion },
    values.map((value, i) => ({ id: i + 1, type: KEY_TYPE.AES, value })),
  );
  // Read again: the authority may push keys into its own domain.
  count(context, tx.domain(authority.aid), counter);
  return encodeTlv(0x86, scenario2bReceipt(keys, parameters, target));
}

/** The AES keys under KVN 74; 6985 on a card whose authority domain has elliptic-curve keys there. */
function sharedKeys(authority: SecurityDomain): AuthorityKeys {
  const authentication = keyAt(authority, AUTHORITY_AUTHENTICATION_KEY);
  const confidentiality = keyAt(authority, AUTHORITY_AGREEMENT_KEY);
  if (authentication?.type !== KEY_TYPE.AES || confidentiality?.type !== KEY_TYPE.AES) {
    return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  return { authentication: authentication.value, confidentiality: confidentiality.value };
}

function lastCounter({ objects }: SecurityDomain): number {
  const stored = objects.find(({ tag }) => tag === AUTHORITY_COUNTER)?.value;
  return stored === undefined ? -1 : stored.reduce((sum, byte) => sum * 256 + byte, 0);
}

function count({ tx }: CommandContext, authority: SecurityDomain, counter: number): void {
  const value = Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter);
  const others = authority.objects.filter(({ tag }) => tag !== AUTHORITY_COUNTER);
  tx.put({ ...authority, objects: [...others, { tag: AUTHORITY_COUNTER, value }] });
}
