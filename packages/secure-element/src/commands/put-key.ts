import { bytesEqual, concatBytes, toHex } from '@sefleet/bytes';
import {
  aesCbcDecrypt,
  aesKeyCheckValue,
  decodePutKey,
  decodeTlvs,
  desKeyCheckValue,
  digestKeyCheckValue,
  findTlv,
  KEY_TYPE,
  SECURITY_DOMAIN_LIFE_CYCLE,
  splitSymmetricValue,
  STATUS_WORD,
  ZERO_BLOCK,
} from '@sefleet/globalplatform';
import type { Aid, PutKey, PutKeyBlock } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import { isScalar, P256 } from '../applets/iot-safe/curves.ts';
import type { Key, KeySet, SecurityDomain } from '../card/card-state.ts';
import { closeSession } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { checkMemory } from '../registry/memory.ts';
import { isKeyLength } from '../registry/key-length.ts';
import { channelKeys, isChannelKeySet } from '../registry/registry.ts';
import { performingDomain } from './authorization.ts';
import { NO_DATA, requireSession, requireUnlockedCard } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** Key sets of one Security Domain. */
const MAX_KEY_SETS = 16;
/** Keys of one version. */
const MAX_KEYS = 16;
const LAST_VERSION = 0x7f;
const INITIAL_VERSION = 0xff;
const MAX_SYMMETRIC_LENGTH = 64;
const EC_PRIME = 0xb2;
/** The primes of P-256, P-384 and P-521. */
const KNOWN_PRIMES = new Set([
  `ffffffff00000001${'0'.repeat(24)}${'f'.repeat(24)}`,
  `${'f'.repeat(63)}effffffff${'0'.repeat(16)}ffffffff`,
  `01${'f'.repeat(130)}`,
]);

/** PUT KEY (GPCS 2.3.1 §11.8): adds keys, or replaces those of a version, all or none. */
export function putKey(context: CommandContext): Answer {
  const { messaging } = requireSession(context);
  requireUnlockedCard(context);
  const domain = performingDomain(context);
  const put = decodePutKey(context.command);
  if (put.newVersion < 1 || put.newVersion > LAST_VERSION || put.keyId < 1) refuse(STATUS_WORD.WRONG_DATA);
  const keys = put.keys.map((block, i) => readKey(block, put.keyId + i, messaging.keys.dek));
  storeKeys(context, domain, put, keys);
  goOnUnderOwnKeys(context, domain.aid);
  const checkValues = keys.map((key) => keyCheckValue(key));
  return concatBytes(Uint8Array.of(put.newVersion), ...checkValues);
}

/** DELETE [key] (GPCS 2.3.1 §11.2.3.2): all keys of a version, an identifier in all versions, or one key. */
export function deleteKeys(context: CommandContext): Answer {
  const { tx, command } = context;
  const session = requireSession(context);
  requireUnlockedCard(context);
  const domain = performingDomain(context);
  const objects = decodeTlvs(command.data);
  const id = findTlv(objects, 0xd0)?.[0];
  const version = findTlv(objects, 0xd2)?.[0];
  if (id === undefined && version === undefined) refuse(STATUS_WORD.WRONG_DATA);
  const isDoomed = (set: KeySet, key: Key): boolean =>
    (id === undefined || key.id === id) && (version === undefined || set.version === version);
  const doomed = domain.keySets.some((set) => set.keys.some((key) => isDoomed(set, key)));
  if (!doomed) refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const keySets = domain.keySets
    .map((set) => ({ ...set, keys: set.keys.filter((key) => !isDoomed(set, key)) }))
    .filter((set) => set.keys.length > 0);
  const issuer = tx.state.entries[0]?.aid === domain.aid;
  // An issuer that deletes its last keys could never come back.
  if (issuer && !keySets.some(isChannelKeySet)) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (session.keyOwner !== domain.aid) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  tx.put({ ...domain, keySets });
  endSessionsUnder(context, domain, keySets);
  return Uint8Array.of(0);
}

/** Puts `keys` into `domain` as PUT KEY and the key data groupings of STORE DATA do. */
export function storeKeys(
  context: CommandContext,
  domain: SecurityDomain,
  put: Pick<PutKey, 'oldVersion' | 'newVersion'>,
  keys: readonly Key[],
): void {
  const { tx, card } = context;
  const { oldVersion, newVersion } = put;
  const existing = domain.keySets.find((set) => set.version === newVersion);
  let keySets: readonly KeySet[];
  if (oldVersion === 0) {
    if (existing?.keys.some((key) => keys.some((other) => other.id === key.id)) === true) {
      refuse(STATUS_WORD.WRONG_DATA);
    }
    const set = {
      version: newVersion,
      sequence: existing?.sequence ?? 0,
      keys: [...(existing?.keys ?? []), ...keys],
    };
    keySets = existing === undefined ? [...domain.keySets, set] : replaceSet(domain, existing, set);
  } else {
    const old = orRefuse(
      domain.keySets.find((set) => set.version === oldVersion),
      STATUS_WORD.REFERENCED_DATA_NOT_FOUND,
    );
    if (newVersion !== oldVersion && existing !== undefined) refuse(STATUS_WORD.WRONG_DATA);
    if (!keys.every((key) => old.keys.some((other) => other.id === key.id))) {
      refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
    }
    const kept = old.keys.filter((key) => !keys.some((other) => other.id === key.id));
    keySets = replaceSet(domain, old, { version: newVersion, sequence: 0, keys: [...kept, ...keys] });
  }
  if (keySets.some(isOwnChannelSet)) keySets = keySets.filter((set) => set.version !== INITIAL_VERSION);
  if (keySets.length > MAX_KEY_SETS || keySets.some((set) => set.keys.length > MAX_KEYS)) {
    refuse(STATUS_WORD.NOT_ENOUGH_MEMORY);
  }
  tx.put({ ...domain, keySets, lifeCycle: lifeCycleWith(domain, keySets) });
  checkMemory(tx.state, card, domain.aid);
  endSessionsUnder(context, domain, keySets);
}

/**
 * A host that gave a domain its first keys goes on as their holder, in the session under inherited keys by
 * which it did so: it could open one of its own at once. When its keys are replaced, the session ends as
 * theirs do.
 */
export function goOnUnderOwnKeys({ tx, channel }: CommandContext, domain: Aid): void {
  const { session, selected } = channel;
  if (session === undefined || selected !== domain || session.keyOwner === domain) return;
  const keys = channelKeys(tx.state, tx.domain(domain), 0);
  if (keys?.owner.aid === domain)
    channel.session = { ...session, keyOwner: domain, keyVersion: keys.keySet.version };
}

/**
 * Ends what keys of `domain` opened, or are about to open, on other channels, when they are not there any
 * more. The session that replaced them goes on until its end (GPCS 2.3.1 §11.8).
 */
function endSessionsUnder(
  { card, channel }: CommandContext,
  domain: SecurityDomain,
  keySets: readonly KeySet[],
): void {
  for (const other of card.channels.values()) {
    const open = other.session ?? other.pending;
    if (other === channel || open?.keyOwner !== domain.aid) continue;
    const before = domain.keySets.find(({ version }) => version === open.keyVersion);
    const after = keySets.find(({ version }) => version === open.keyVersion);
    if (before?.keys.every((key) => after?.keys.includes(key)) !== true) closeSession(other);
  }
}

/** The check value of a key; empty for asymmetric ones. */
export function keyCheckValue(key: Key): Uint8Array {
  switch (key.type) {
    case KEY_TYPE.AES:
      return aesKeyCheckValue(key.value);
    case KEY_TYPE.DES:
    case KEY_TYPE.TDES_CBC:
      return desKeyCheckValue(key.value);
    case KEY_TYPE.RSA_MODULUS:
    case KEY_TYPE.EC_PUBLIC:
    case KEY_TYPE.EC_PRIVATE:
      return NO_DATA;
    default:
      return digestKeyCheckValue(key.value);
  }
}

/** A secret value decrypted, of exactly the length of its key. */
export function decryptKeyValue(value: Uint8Array, dek: Uint8Array): Uint8Array {
  const { keyLength, ciphertext } = orRefuse(splitSymmetricValue(value), STATUS_WORD.WRONG_DATA);
  if (keyLength > MAX_SYMMETRIC_LENGTH) refuse(STATUS_WORD.WRONG_DATA);
  return Uint8Array.from(aesCbcDecrypt(dek, ZERO_BLOCK, ciphertext).subarray(0, keyLength));
}

function readKey(block: PutKeyBlock, id: number, dek: Uint8Array): Key {
  const [first, second, ...more] = block.components;
  if (first === undefined) return refuse(STATUS_WORD.WRONG_DATA);
  const isCurve = first.type === KEY_TYPE.EC_PUBLIC || first.type === KEY_TYPE.EC_PRIVATE;
  if (isCurve) checkCurve(block.components);
  else if (more.length > 0) refuse(STATUS_WORD.WRONG_DATA);
  const key = readComponents(first, second, id, dek);
  const checked = block.checkValue.length === 0 || bytesEqual(block.checkValue, keyCheckValue(key));
  if (!isKeyLength(key.type, key.value.length)) refuse(STATUS_WORD.WRONG_DATA);
  if (key.type === KEY_TYPE.EC_PRIVATE && !isScalar(P256, key.value)) refuse(STATUS_WORD.WRONG_DATA);
  if (!checked) refuse(STATUS_WORD.INVALID_KEY_CHECK_VALUE);
  return key;
}

/**
 * Curve parameters come by reference (F0 00, P-256) or written out (B2 to B7): only the NIST curves are known
 * here.
 */
function checkCurve(components: PutKeyBlock['components']): void {
  const prime = components.find(({ type }) => type === EC_PRIME);
  if (prime !== undefined && !KNOWN_PRIMES.has(toHex(prime.value)))
    refuse(STATUS_WORD.ALGORITHM_NOT_SUPPORTED);
}

function readComponents(
  first: PutKeyBlock['components'][number],
  second: PutKeyBlock['components'][number] | undefined,
  id: number,
  dek: Uint8Array,
): Key {
  switch (first.type) {
    case KEY_TYPE.RSA_MODULUS:
      if (second?.type !== KEY_TYPE.RSA_EXPONENT || second.value.length === 0)
        return refuse(STATUS_WORD.WRONG_DATA);
      return { id, type: first.type, value: first.value.slice(), exponent: second.value.slice() };
    case KEY_TYPE.EC_PUBLIC:
      return { id, type: first.type, value: first.value.slice() };
    case KEY_TYPE.AES:
    case KEY_TYPE.DES:
    case KEY_TYPE.TDES_CBC:
    case KEY_TYPE.PSK_TLS:
    case KEY_TYPE.HMAC_SHA256:
    case KEY_TYPE.EC_PRIVATE:
      return { id, type: first.type, value: decryptKeyValue(first.value, dek) };
    default:
      return refuse(STATUS_WORD.ALGORITHM_NOT_SUPPORTED);
  }
}

function replaceSet(domain: SecurityDomain, old: KeySet, set: KeySet): readonly KeySet[] {
  return domain.keySets.map((other) => (other === old ? set : other));
}

function isOwnChannelSet(set: KeySet): boolean {
  return set.version !== INITIAL_VERSION && isChannelKeySet(set);
}

/** The first channel keys of its own make a Security Domain PERSONALIZED. */
function lifeCycleWith(domain: SecurityDomain, keySets: readonly KeySet[]): number {
  const { SELECTABLE, PERSONALIZED } = SECURITY_DOMAIN_LIFE_CYCLE;
  const fresh = domain.parent !== domain.aid && domain.lifeCycle === SELECTABLE;
  return fresh && keySets.some(isChannelKeySet) ? PERSONALIZED : domain.lifeCycle;
}
