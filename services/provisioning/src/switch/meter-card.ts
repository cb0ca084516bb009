import { bytesEqual, toHex } from '@sefleet/bytes';
import { exchangeDigest, type ExchangeEvidence, type Hop } from '@sefleet/evidence';
import {
  aidBytes,
  DATA_OBJECT,
  decodeKeyInformation,
  decodeOnlyTlv,
  decodeStatus,
  encodeApdu,
  expectStatus,
  getDataCommand,
  getStatusCommand,
  openScp03Session,
  plainLink,
  selectCommand,
  STATUS_SCOPE,
  STATUS_WORD,
  type Aid,
  type RegistryEntry,
  type ResponseApdu,
  type SecureChannelSession,
  type StaticKeys,
} from '@sefleet/globalplatform';
import type { Rng } from '@sefleet/runtime';
import { CardConversation, type ApduChannel } from '../card-link/card-link.ts';
import { provisioningError } from '../errors.ts';

/**
 * The card of one meter as the trusted service manager reaches it: every exchange passes its hands and leaves
 * a digest there.
 */
export class MeterCard {
  readonly #channel: ApduChannel;
  readonly #diversification: Uint8Array;
  readonly #rng: Rng;
  readonly #seen: ExchangeEvidence[];

  /** @param seen Where the digests of exchanges go. */
  constructor(channel: ApduChannel, diversification: Uint8Array, rng: Rng, seen: ExchangeEvidence[]) {
    this.#channel = channel;
    this.#diversification = diversification;
    this.#rng = rng;
    this.#seen = seen;
  }

  /** The way to the card below secure channels, as `hop` uses it. */
  channelOf(hop: Hop): ApduChannel {
    return {
      exchange: async (commands) => {
        const answers = await this.#channel.exchange(commands);
        answers.forEach((answer, i) => {
          const command = commands[i];
          if (command !== undefined) this.#seen.push({ hop, digest: exchangeDigest(command, answer) });
        });
        return answers;
      },
      close: () => undefined,
    };
  }

  /**
   * A session with `domain` under `keys`, level 33. The card has proved that it knows them; that it accepts
   * the session is seen with the answers to its first commands.
   *
   * @throws SefleetError `SWITCH_CARD_SWAPPED` when another card answers; what GlobalPlatform throws
   * otherwise.
   */
  async open(hop: Hop, domain: Aid, keys: StaticKeys, keyVersion: number): Promise<SecureChannelSession> {
    const domainAid = aidBytes(domain);
    const conversation = this.#conversationWith(hop, domainAid);
    return openScp03Session({
      transmit: conversation.transmit,
      script: conversation.script,
      keyVersion,
      level: 0x33,
      rng: this.#rng,
      domainAid,
      keys: ({ diversificationData }) => {
        if (bytesEqual(diversificationData, this.#diversification)) return keys;
        throw provisioningError('SWITCH_CARD_SWAPPED', 'another card answers for this meter');
      },
    });
  }

  /** The certificate in the Controlling Authority's domain, data object 7F21. */
  async readCertificate(hop: Hop, authority: Aid): Promise<Uint8Array> {
    const conversation = this.#conversationWith(hop, aidBytes(authority));
    const link = plainLink(conversation.transmit);
    const { data } = await expectStatus(link, getDataCommand(DATA_OBJECT.CERTIFICATE), 'GET DATA 7F21');
    return data;
  }

  /** Which keys a domain holds, as the card tells everybody: see {@link heldKeysIn}. */
  async readKeys(hop: Hop, domain: Aid): Promise<string[]> {
    const link = plainLink(this.#conversationWith(hop, aidBytes(domain)).transmit);
    return heldKeysIn(await expectStatus(link, getDataCommand(DATA_OBJECT.KEY_INFORMATION), 'GET DATA 00E0'));
  }

  #conversationWith(hop: Hop, domainAid: Uint8Array): CardConversation {
    const conversation = new CardConversation(this.channelOf(hop));
    conversation.putAhead(encodeApdu(selectCommand(domainAid)));
    return conversation;
  }
}

/** The registry entry of `target`, as far as the domain of the session may see it. */
export async function findEntry(
  session: SecureChannelSession,
  target: Aid,
): Promise<RegistryEntry | undefined> {
  const command = getStatusCommand(STATUS_SCOPE.APPLICATIONS, { filter: aidBytes(target) });
  const expected = [STATUS_WORD.OK, STATUS_WORD.REFERENCED_DATA_NOT_FOUND];
  return entryIn(await expectStatus(session, command, 'GET STATUS', expected), target);
}

/** The entry of `target` in an answer to GET STATUS, as far as the domain of the session may see it. */
export function entryIn({ data, sw }: ResponseApdu, target: Aid): RegistryEntry | undefined {
  return sw === STATUS_WORD.OK ? decodeStatus(data).find((entry) => entry.aid === target) : undefined;
}

/** The card's count of receipts. */
export async function readConfirmationCounter(session: SecureChannelSession): Promise<number> {
  const command = getDataCommand(DATA_OBJECT.CONFIRMATION_COUNTER);
  return counterIn(await expectStatus(session, command, 'GET DATA 00C2'));
}

/** The count in an answer to GET DATA 00C2. */
export function counterIn({ data }: ResponseApdu): number {
  return decodeOnlyTlv(data, 0xc2).reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The keys that an answer to GET DATA 00E0 names, as `identifier/version`. */
export function heldKeysIn({ data }: ResponseApdu): string[] {
  return decodeKeyInformation(data).map(
    ({ keyId, keyVersion }) => `${toHex(Uint8Array.of(keyId))}/${toHex(Uint8Array.of(keyVersion))}`,
  );
}
