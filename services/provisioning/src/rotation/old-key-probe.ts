import {
  decodeInitializeUpdateResponse,
  decodeResponse,
  deriveSessionKeys,
  encodeApdu,
  gpCommand,
  INS,
  scp03Cryptogram,
  SecureMessaging,
  selectCommand,
  STATUS_WORD,
  type StaticKeys,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import type { ApduChannel } from '../card-link/card-link.ts';
import { CardConversation } from '../card-link/card-link.ts';
import { provisioningError } from '../errors.ts';

/** What somebody who holds replaced keys has. */
export interface ProbeOptions {
  readonly channel: ApduChannel;
  readonly domainAid: Uint8Array;
  readonly keys: StaticKeys;
  /** The version that the keys had on the card. */
  readonly keyVersion: number;
  readonly rng: Rng;
}

/** How the card refused: the status words of both tries. */
export interface ProbeResult {
  readonly byVersion: number;
  readonly byCryptogram: number;
}

const CHALLENGE_BYTES = 8;
const C_MAC = 0x01;

/**
 * Tries to enter a Security Domain with keys that have been replaced, as their former owner would: by the old
 * version number, and by a host cryptogram of the old keys over whatever keys the card offers first. Both
 * have to be refused.
 *
 * @throws SefleetError `PROVISIONING_OLD_KEY_ALIVE` when a try was not refused.
 */
export async function probeOldKeys(options: ProbeOptions): Promise<ProbeResult> {
  const byVersion = await tryVersion(options);
  const byCryptogram = await tryCryptogram(options);
  if (byCryptogram === STATUS_WORD.OK)
    alive('the card accepted a cryptogram of the replaced keys', byCryptogram);
  return { byVersion, byCryptogram };
}

async function tryVersion({ channel, domainAid, keyVersion, rng }: ProbeOptions): Promise<number> {
  const conversation = new CardConversation(channel);
  conversation.putAhead(encodeApdu(selectCommand(domainAid)));
  const initialize = gpCommand(INS.INITIALIZE_UPDATE, keyVersion, 0, rng.bytes(CHALLENGE_BYTES));
  const { sw } = decodeResponse(await conversation.transmit(encodeApdu(initialize)));
  if (sw === STATUS_WORD.OK) alive('the card still offers the replaced key version', sw);
  return sw;
}

/** The status word of a try to select a Security Domain. */
export async function trySelect(channel: ApduChannel, domainAid: Uint8Array): Promise<number> {
  const [answer] = await channel.exchange([encodeApdu(selectCommand(domainAid))]);
  if (answer === undefined) throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', 'no answer to SELECT');
  return decodeResponse(answer).sw;
}

/**
 * The status word of a try to enter by a host cryptogram of `keys` over whatever keys the card offers first.
 */
export async function tryCryptogram({ channel, domainAid, keys, rng }: ProbeOptions): Promise<number> {
  const conversation = new CardConversation(channel);
  conversation.putAhead(encodeApdu(selectCommand(domainAid)));
  const hostChallenge = rng.bytes(CHALLENGE_BYTES);
  const initialize = gpCommand(INS.INITIALIZE_UPDATE, 0, 0, hostChallenge);
  const offered = decodeResponse(await conversation.transmit(encodeApdu(initialize)));
  if (offered.sw !== STATUS_WORD.OK) return offered.sw;
  const { cardChallenge } = decodeInitializeUpdateResponse(offered.data);
  const messaging = new SecureMessaging(deriveSessionKeys(keys, hostChallenge, cardChallenge), 8, C_MAC);
  const cryptogram = scp03Cryptogram('host', messaging.keys.mac, hostChallenge, cardChallenge);
  const { le: _, ...authenticate } = gpCommand(INS.EXTERNAL_AUTHENTICATE, C_MAC, 0, cryptogram);
  const { sw } = decodeResponse(await conversation.transmit(encodeApdu(messaging.wrapCommand(authenticate))));
  return sw;
}

function alive(message: string, sw: number): never {
  throw provisioningError('PROVISIONING_OLD_KEY_ALIVE', message, { context: { sw } });
}
