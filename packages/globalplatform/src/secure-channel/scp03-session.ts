import { concatBytes, constantTimeEqual, toHex } from '@sefleet/bytes';
import type { Rng } from '@sefleet/runtime';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import type { ResponseApdu } from '../apdu/response-apdu.ts';
import { classForChannel } from '../apdu/class-byte.ts';
import type { StaticKeys } from '../crypto/key-derivation.ts';
import { globalPlatformError } from '../errors.ts';
import { STATUS_WORD } from '../status-word.ts';
import { readAll } from '../tlv/length-value.ts';
import { deriveSessionKeys, SCP03_I, scp03CardChallenge, scp03Cryptogram } from './scp03-keys.ts';
import { SecureChannelSession } from './secure-channel-session.ts';
import { SecureMessaging } from './secure-messaging.ts';
import { C_MAC, isSecurityLevel } from './security-level.ts';
import type { SecurityLevel } from './security-level.ts';
import { exchange, expectStatus } from './transmit.ts';
import type { CardLink, Trace, Transmit, TransmitScript } from './transmit.ts';

/** What INITIALIZE UPDATE answers in SCP03 (GPC_SPE_014 §7.1.1.5). */
export interface InitializeUpdateResponse {
  /** Key diversification data, 10 bytes. */
  readonly diversificationData: Uint8Array;
  readonly keyVersion: number;
  /** The parameter "i" of the card's SCP03. */
  readonly i: number;
  readonly cardChallenge: Uint8Array;
  readonly cardCryptogram: Uint8Array;
  /** The sequence counter, with pseudo-random challenges only. */
  readonly sequence: number | undefined;
}

/** How to open an SCP03 session. */
export interface Scp03Options {
  readonly transmit: Transmit;
  /**
   * The same way, for scripts. With it EXTERNAL AUTHENTICATE travels with the first commands: the card has
   * proved itself by then, and that it accepts the session is seen when their answers come.
   */
  readonly script?: TransmitScript;
  /** The Security Domain's keys, or a function that derives them from what the card answers. */
  readonly keys: StaticKeys | ((response: InitializeUpdateResponse) => StaticKeys);
  /** The key version number to ask for; 0 lets the card take its first. */
  readonly keyVersion?: number;
  /** Default 0x33: all of it. */
  readonly level?: SecurityLevel;
  readonly rng: Rng;
  /** Length of the host challenge: 16 for a card in S16 mode. Default 8. */
  readonly challengeLength?: 8 | 16;
  /** The AID of the selected Security Domain: with it a pseudo-random card challenge is verified as well. */
  readonly domainAid?: Uint8Array;
  /** The logical channel, 0 to 19. */
  readonly channel?: number;
  readonly trace?: Trace;
}

const INITIALIZE_UPDATE = { cla: 0x80, ins: 0x50, p2: 0x00, le: 0x100 };
const EXTERNAL_AUTHENTICATE = { cla: 0x80, ins: 0x82, p2: 0x00 };
const SCP03 = 0x03;

/**
 * Opens an SCP03 session with the Security Domain that is selected (GPC_SPE_014 §5).
 *
 * @returns A session; its `transmit` wraps and unwraps.
 * @throws SefleetError `GP_CARD_NOT_AUTHENTIC` when the card cryptogram is wrong, before anything is sent
 * that would
 *   cost the card a try; `GP_STATUS_WORD` when the card refuses.
 * @example
 * const session = await openScp03Session({ transmit: card.transmit, keys, keyVersion: 0x30, rng });
 * await session.transmit(getKeyInformation());
 */
export async function openScp03Session(options: Scp03Options): Promise<SecureChannelSession> {
  const { transmit, script, rng, trace, channel = 0, level = 0x33 } = options;
  if (!isSecurityLevel(level))
    throw globalPlatformError('GP_LEVEL_INVALID', `no such level: ${String(level)}`);
  const link: CardLink = { transmit: (command) => exchange(transmit, command, command, trace) };
  const hostChallenge = rng.bytes(options.challengeLength ?? 8);
  const initialize: CommandApdu = {
    ...INITIALIZE_UPDATE,
    cla: classForChannel(INITIALIZE_UPDATE.cla, channel),
    p1: options.keyVersion ?? 0,
    data: hostChallenge,
  };
  const answer = await expectStatus(link, initialize, 'INITIALIZE UPDATE');
  const response = decodeInitializeUpdateResponse(answer.data);
  const keys = typeof options.keys === 'function' ? options.keys(response) : options.keys;
  const messaging = verifyCard(keys, hostChallenge, response, options.domainAid);
  const authenticate = messaging.wrapCommand({
    ...EXTERNAL_AUTHENTICATE,
    cla: classForChannel(EXTERNAL_AUTHENTICATE.cla, channel),
    p1: level,
    data: scp03Cryptogram('host', messaging.keys.mac, hostChallenge, response.cardChallenge),
  });
  const take = ({ sw }: ResponseApdu): void => {
    if (sw !== STATUS_WORD.OK) throw refused(sw, response);
  };
  if (script === undefined) take(await link.transmit(authenticate));
  messaging.begin(level);
  const { keyVersion } = response;
  const ahead = script === undefined ? undefined : { command: authenticate, take };
  return new SecureChannelSession({ transmit, script, messaging, channel, keyVersion, trace, ahead });
}

/**
 * The fields of an INITIALIZE UPDATE response, of 29, 32, 45 or 48 bytes.
 *
 * @throws SefleetError `GP_TLV_MALFORMED` for other lengths, `GP_CARD_NOT_AUTHENTIC` for another protocol
 * than SCP03.
 */
export function decodeInitializeUpdateResponse(data: Uint8Array): InitializeUpdateResponse {
  return readAll(data, (reader) => {
    const diversificationData = reader.bytes(10);
    const keyVersion = reader.u8();
    const protocol = reader.u8();
    if (protocol !== SCP03) {
      throw globalPlatformError('GP_CARD_NOT_AUTHENTIC', `the card speaks SCP0${protocol}, not SCP03`, {
        context: { protocol, keyVersion },
      });
    }
    const i = reader.u8();
    const length = (i & SCP03_I.S16) === 0 ? 8 : 16;
    const cardChallenge = reader.bytes(length);
    const cardCryptogram = reader.bytes(length);
    const sequence = (i & SCP03_I.PSEUDO_RANDOM_CHALLENGE) === 0 ? undefined : reader.u24();
    return { diversificationData, keyVersion, i, cardChallenge, cardCryptogram, sequence };
  });
}

/** The bytes of an INITIALIZE UPDATE response. */
export function encodeInitializeUpdateResponse(response: InitializeUpdateResponse): Uint8Array {
  const { sequence } = response;
  return concatBytes(
    response.diversificationData,
    Uint8Array.of(response.keyVersion, SCP03, response.i),
    response.cardChallenge,
    response.cardCryptogram,
    sequence === undefined ? new Uint8Array(0) : Uint8Array.of(sequence >> 16, sequence >> 8, sequence),
  );
}

function verifyCard(
  keys: StaticKeys,
  hostChallenge: Uint8Array,
  response: InitializeUpdateResponse,
  domainAid: Uint8Array | undefined,
): SecureMessaging {
  const { cardChallenge, cardCryptogram, sequence } = response;
  const length = (response.i & SCP03_I.S16) === 0 ? 8 : 16;
  const context = {
    keyVersion: response.keyVersion,
    i: response.i,
    diversificationData: toHex(response.diversificationData),
  };
  if (hostChallenge.length !== length) {
    throw globalPlatformError('GP_CARD_NOT_AUTHENTIC', `the card wants challenges of ${length} bytes`, {
      context,
    });
  }
  const session = deriveSessionKeys(keys, hostChallenge, cardChallenge);
  const expected = scp03Cryptogram('card', session.mac, hostChallenge, cardChallenge);
  const challengeHolds =
    sequence === undefined || domainAid === undefined
      ? undefined
      : constantTimeEqual(scp03CardChallenge(keys.enc, sequence, domainAid, length), cardChallenge);
  if (!constantTimeEqual(expected, cardCryptogram) || challengeHolds === false) {
    throw globalPlatformError('GP_CARD_NOT_AUTHENTIC', 'the card cryptogram or challenge does not verify', {
      context: { ...context, encKeyMatches: challengeHolds },
      hint: 'Check the key version, the diversification and the key length; nothing was sent that counts as a try.',
    });
  }
  return new SecureMessaging(session, length, C_MAC);
}

function refused(sw: number, response: InitializeUpdateResponse) {
  return globalPlatformError('GP_STATUS_WORD', `EXTERNAL AUTHENTICATE: ${sw.toString(16)}`, {
    context: { sw, ins: EXTERNAL_AUTHENTICATE.ins, keyVersion: response.keyVersion, i: response.i },
    hint: 'The card cryptogram was right, so the keys are; the card refuses this level or the state forbids it.',
  });
}
