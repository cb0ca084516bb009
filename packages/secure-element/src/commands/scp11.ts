import { concatBytes } from '@sefleet/bytes';
import {
  CERTIFICATE_USAGE,
  decodeScp11Request,
  deriveScp11,
  encodeTlv,
  KEY_TYPE,
  LIFE_CYCLE_LOCKED,
  SCP03_I,
  SecureMessaging,
  STATUS_WORD,
  verifiedPoint,
} from '@sefleet/globalplatform';
import type { Scp11Variant } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import { agree, generateKeyPair, publicKeyOf, P256 } from '../applets/iot-safe/curves.ts';
import type { SecurityDomain } from '../card/card-state.ts';
import { closeSession } from '../card/channel.ts';
import { orRefuse, refuse } from '../card/refusal.ts';
import { isOfSpecialUse, keyAt, verificationKey } from '../registry/special-keys.ts';
import { requireAllowed } from './allow-list.ts';
import { NO_DATA, selectedDomain } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

const MORE = 0x80;
const POINT_LENGTH = 65;

/**
 * PERFORM SECURITY OPERATION [verify certificate] (GPC_SPE_093 §7.5): the host's certificates, each signed by
 * the one before, the first by the authority's key that P1 and P2 name.
 */
export function performSecurityOperation(context: CommandContext): Answer {
  const { command, channel } = context;
  const domain = unlockedDomain(context);
  const pending =
    channel.agreement?.kind === 'scp11' && channel.agreement.more ? channel.agreement : undefined;
  if (pending === undefined) closeSession(channel);
  channel.agreement = undefined;
  const place = { version: command.p1, id: command.p2 & ~MORE };
  const authority = isOfSpecialUse(place) ? undefined : verificationKey(domain, place);
  if (authority?.kind !== 'ec') return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const more = (command.p2 & MORE) !== 0;
  const usage = more ? CERTIFICATE_USAGE.DIGITAL_SIGNATURE : CERTIFICATE_USAGE.KEY_AGREEMENT;
  const hostPoint = verifiedPoint(command.data, pending?.hostPoint ?? authority.point, usage);
  // The list is about the host's own certificate, the last of the chain.
  if (!more) requireAllowed(domain, place, command.data);
  channel.agreement = { kind: 'scp11', hostPoint, more };
  return NO_DATA;
}

/** MUTUAL AUTHENTICATE of SCP11a and SCP11c (GPC_SPE_093 §7.1): the host is known by its certificate. */
export function mutualAuthenticate(context: CommandContext): Answer {
  const { agreement } = context.channel;
  if (agreement?.kind !== 'scp11' || agreement.more) return refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  return authenticate(context, ['a', 'c'], agreement.hostPoint);
}

/**
 * INTERNAL AUTHENTICATE of SCP11b (GPC_SPE_093 §7.2): the host stays anonymous, so it may read and not
 * manage.
 */
export function internalAuthenticate(context: CommandContext): Answer {
  return authenticate(context, ['b'], undefined);
}

function authenticate(
  context: CommandContext,
  variants: readonly Scp11Variant[],
  hostPoint: Uint8Array | undefined,
): Answer {
  const { command, channel, card } = context;
  const domain = unlockedDomain(context);
  closeSession(channel);
  const request = orRefuse(decodeScp11Request(command.data), STATUS_WORD.WRONG_DATA);
  const { parameters, template, point } = request;
  if (!variants.includes(parameters.variant) || point.length !== POINT_LENGTH) refuse(STATUS_WORD.WRONG_DATA);
  const place = { version: command.p1, id: command.p2 };
  const own = isOfSpecialUse(place) ? undefined : keyAt(domain, place);
  if (own?.type !== KEY_TYPE.EC_PRIVATE) return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const pair =
    parameters.variant === 'c'
      ? { privateKey: own.value, publicKey: publicKeyOf(P256, own.value) }
      : generateKeyPair(P256, card.rng);
  const ephemeralSecret = orRefuse(agree(P256, pair.privateKey, point), STATUS_WORD.WRONG_DATA);
  const staticSecret = orRefuse(agree(P256, own.value, hostPoint ?? point), STATUS_WORD.WRONG_DATA);
  const exchanged = { template, hostPoint: point, cardPoint: pair.publicKey };
  const { session, receipt } = deriveScp11(ephemeralSecret, staticSecret, parameters, exchanged);
  const macLength = (domain.scp03 & SCP03_I.S16) === 0 ? 8 : 16;
  channel.session = {
    messaging: new SecureMessaging(session, macLength, parameters.level, receipt),
    keyOwner: domain.aid,
    keyVersion: command.p1,
    hostAuthenticated: hostPoint !== undefined,
  };
  return concatBytes(encodeTlv(0x5f49, pair.publicKey), encodeTlv(0x86, receipt));
}

function unlockedDomain(context: CommandContext): SecurityDomain {
  const domain = selectedDomain(context);
  const isIssuer = domain.aid === context.tx.state.entries[0]?.aid;
  if (!isIssuer && (domain.lifeCycle & LIFE_CYCLE_LOCKED) !== 0) refuse(STATUS_WORD.CONDITIONS_NOT_SATISFIED);
  return domain;
}
