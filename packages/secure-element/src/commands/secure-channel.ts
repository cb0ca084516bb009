import { constantTimeEqual } from '@sefleet/bytes';
import {
  aidBytes,
  C_MAC,
  deriveSessionKeys,
  encodeInitializeUpdateResponse,
  isSecurityLevel,
  LIFE_CYCLE_LOCKED,
  R_ENCRYPTION,
  R_MAC,
  scp03CardChallenge,
  scp03Cryptogram,
  SCP03_I,
  scp03FieldLength,
  SecureMessaging,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { KeySet, SecurityDomain } from '../card/card-state.ts';
import { closeSession } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { associatedDomain, channelKeys } from '../registry/registry.ts';
import { NO_DATA } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

const MAX_SEQUENCE = 0xffffff;

/**
 * INITIALIZE UPDATE (GPC_SPE_014 §7.1.1). On an application it opens a channel with the keys of the Security
 * Domain that the application belongs to (GPCS 2.3.1 §10.5).
 */
export function initializeUpdate(context: CommandContext): Answer {
  const { command, tx, channel, card } = context;
  closeSession(channel);
  const domain = addressedDomain(context);
  const { owner, keySet } = orRefuse(
    channelKeys(tx.state, domain, command.p1),
    STATUS_WORD.REFERENCED_DATA_NOT_FOUND,
  );
  const i = domain.scp03;
  const length = scp03FieldLength(i);
  if (command.p2 !== 0) refuse(STATUS_WORD.INCORRECT_P1_P2);
  if (command.data.length !== length) refuse(STATUS_WORD.WRONG_LENGTH);
  if (keySet.sequence === MAX_SEQUENCE) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const hostChallenge = command.data.slice();
  const keys = { enc: keyValue(keySet, 1), mac: keyValue(keySet, 2), dek: keyValue(keySet, 3) };
  const pseudoRandom = (i & SCP03_I.PSEUDO_RANDOM_CHALLENGE) !== 0;
  const sequence = keySet.sequence + 1;
  const cardChallenge = pseudoRandom
    ? scp03CardChallenge(keys.enc, sequence, aidBytes(domain.aid), length)
    : card.rng.bytes(length);
  if (pseudoRandom) countSession(context, owner, keySet, sequence);
  const session = deriveSessionKeys(keys, hostChallenge, cardChallenge);
  channel.pending = {
    messaging: new SecureMessaging(session, length, C_MAC),
    keyOwner: owner.aid,
    keyVersion: keySet.version,
    hostAuthenticated: true,
    hostCryptogram: scp03Cryptogram('host', session.mac, hostChallenge, cardChallenge),
  };
  return encodeInitializeUpdateResponse({
    diversificationData: tx.state.identity.diversificationData,
    keyVersion: keySet.version,
    i,
    cardChallenge,
    cardCryptogram: scp03Cryptogram('card', session.mac, hostChallenge, cardChallenge),
    sequence: pseudoRandom ? sequence : undefined,
  });
}

/** EXTERNAL AUTHENTICATE (GPC_SPE_014 §7.1.2); its own C-MAC was checked on the way in. */
export function externalAuthenticate(context: CommandContext): Answer {
  const { command, channel } = context;
  const pending = orRefuse(channel.pending, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  channel.pending = undefined;
  const level = command.p1;
  const i = addressedDomain(context).scp03;
  if (command.p2 !== 0 || !isSecurityLevel(level) || !isOffered(level, i)) {
    return refuse(STATUS_WORD.INCORRECT_P1_P2);
  }
  if (!constantTimeEqual(pending.hostCryptogram, command.data)) {
    return refuse(STATUS_WORD.AUTHENTICATION_FAILED);
  }
  pending.messaging.begin(level);
  const { messaging, keyOwner, keyVersion, hostAuthenticated } = pending;
  channel.session = { messaging, keyOwner, keyVersion, hostAuthenticated };
  return NO_DATA;
}

/** The value of the key with identifier `id`; a channel key set has 1 to 3. */
function keyValue(set: KeySet, id: number): Uint8Array {
  return orRefuse(set.keys.find((key) => key.id === id)?.value, STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
}

function addressedDomain(context: CommandContext): SecurityDomain {
  const { tx, channel } = context;
  const entry = channel.selected === undefined ? undefined : tx.find(channel.selected);
  const selected = orRefuse(entry, STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  const domain = orRefuse(associatedDomain(tx.state, selected), STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  if (domain.aid !== tx.state.entries[0]?.aid && (domain.lifeCycle & LIFE_CYCLE_LOCKED) !== 0) {
    return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  }
  return domain;
}

function countSession(
  context: CommandContext,
  owner: SecurityDomain,
  keySet: KeySet,
  sequence: number,
): void {
  const keySets = owner.keySets.map((set) => (set === keySet ? { ...set, sequence } : set));
  context.tx.put({ ...owner, keySets }, 'counter');
}

function isOffered(level: number, i: number): boolean {
  if ((level & R_ENCRYPTION) !== 0) return (i & SCP03_I.R_ENC) !== 0;
  return (level & R_MAC) === 0 || (i & SCP03_I.R_MAC) !== 0;
}
