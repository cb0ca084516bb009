import { concatBytes, constantTimeEqual } from '@sefleet/bytes';
import type { CommandApdu } from '../apdu/command-apdu.ts';
import { gpCommand, INS } from '../content/command.ts';
import { KEY_TYPE } from '../content/put-key.ts';
import { KEY_DGI } from '../content/store-data.ts';
import { aesCbcDecrypt, aesCbcEncrypt, AES_BLOCK, aesEcbEncrypt } from '../crypto/aes.ts';
import { aesCmac } from '../crypto/aes-cmac.ts';
import { deriveScp03 } from '../crypto/key-derivation.ts';
import type { StaticKeys } from '../crypto/key-derivation.ts';
import { globalPlatformError } from '../errors.ts';
import { decodeTlvs, encodeTlv, requireTlv } from '../tlv/ber-tlv.ts';
import type { Tlv } from '../tlv/ber-tlv.ts';
import { encodeDgis } from '../tlv/dgi.ts';
import type { Dgi } from '../tlv/dgi.ts';
import { encodeLvs } from '../tlv/length-value.ts';

/** Data groupings of a push of keys: the template, the keys (8113, three times), the authority's MAC. */
export const SCENARIO2B_DGI = { PARAMETERS: 0x00a6, KEY: KEY_DGI.SYMMETRIC_KEY, MAC: 0x008e } as const;

/** The keys that a Controlling Authority shares with the authority domain of one card (KVN 74). */
export interface AuthorityKeys {
  /** KS.CASD.AUT, identifier 2: AES, proves that the authority sent the keys. */
  readonly authentication: Uint8Array;
  /** KS.CASD.CT, identifier 3: AES, keeps them from everybody else. */
  readonly confidentiality: Uint8Array;
}

/** What a push is about: the A6 template. */
export interface Scenario2bParameters {
  /** Version of the key set that comes out, 1 to 127. */
  readonly keyVersion: number;
  /** Bytes of each AES key. */
  readonly keyLength: 16 | 24 | 32;
  /** Greater than that of every push before, to any domain of this card: 0 to 2^32 - 1. */
  readonly counter: number;
}

/** For whom a push is: it is worth nothing on another card or for another domain. */
export interface Scenario2bTarget {
  /** Issuer identification and card image number, joined. */
  readonly cardUniqueData: Uint8Array;
  /** AID of the Security Domain that gets the keys. */
  readonly domain: Uint8Array;
}

const SCENARIO = 0x02;
const SYMMETRIC = 0x02;
const USAGE_CHANNEL_KEYS = 0x10;
const FIRST_KEY_ID = 1;
const RECEIPT_CONSTANT = 0xa6;
const RECEIPT_LENGTH = 16;
const KEY_LENGTHS: readonly number[] = [16, 24, 32];

/**
 * The Controlling Authority's push of a provider's keys into a Security Domain (GPC_SPE_007 §4, scenario
 * #2.B): the STORE DATA command that follows INSTALL [for personalization]. Who carries it learns nothing;
 * the authority has the keys in its hands, and whoever has its keys reads every push that was ever recorded.
 * In scenario #3 it does not.
 *
 * @throws SefleetError `GP_KEY_INVALID` for keys of other lengths, or a counter out of its range.
 * @example
 * const command = scenario2bCommand(keys, { keyVersion: 1, keyLength: 16, counter: 7 }, authority, target);
 * verifyScenario2bReceipt(await send(command), keys, parameters, target);
 */
export function scenario2bCommand(
  keys: StaticKeys,
  parameters: Scenario2bParameters,
  authority: AuthorityKeys,
  target: Scenario2bTarget,
): CommandApdu {
  const { keyLength, counter } = parameters;
  const values = [keys.enc, keys.mac, keys.dek];
  const isCounter = Number.isInteger(counter) && counter >= 0 && counter <= 0xffffffff;
  if (!isCounter || !values.every(({ length }) => length === keyLength)) {
    throw globalPlatformError('GP_KEY_INVALID', `keys of ${keyLength} bytes and a 32-bit counter are needed`);
  }
  const groupings = [
    { id: SCENARIO2B_DGI.PARAMETERS, data: encodeScenario2bParameters(parameters) },
    ...values.map((value, i) => ({
      id: SCENARIO2B_DGI.KEY,
      data: aesCbcEncrypt(authority.confidentiality, initialValue(authority, counter, i), padToBlocks(value)),
    })),
  ];
  const mac = { id: SCENARIO2B_DGI.MAC, data: pushMac(authority, target, groupings) };
  return gpCommand(INS.STORE_DATA, 0x89, 0x00, encodeDgis([...groupings, mac]));
}

/**
 * The keys of a push, on the card; undefined when it is not of this authority, or not for this card and
 * domain.
 */
export function openScenario2b(
  groupings: readonly Dgi[],
  parameters: Scenario2bParameters,
  authority: AuthorityKeys,
  target: Scenario2bTarget,
): StaticKeys | undefined {
  const mac = groupings.at(-1);
  const covered = groupings.slice(0, -1);
  const isPush =
    covered.length === 4 &&
    covered.slice(1).every(({ id }) => id === SCENARIO2B_DGI.KEY) &&
    mac?.id === SCENARIO2B_DGI.MAC;
  if (!isPush || !constantTimeEqual(pushMac(authority, target, covered), mac.data)) return undefined;
  const { keyLength, counter } = parameters;
  const values = covered
    .slice(1)
    .map(({ data }, i) =>
      data.length === padToBlocks(new Uint8Array(keyLength)).length
        ? aesCbcDecrypt(authority.confidentiality, initialValue(authority, counter, i), data).slice(
            0,
            keyLength,
          )
        : undefined,
    );
  const [enc, mac1, dek] = values;
  return enc === undefined || mac1 === undefined || dek === undefined ? undefined : { enc, mac: mac1, dek };
}

/** The A6 template of a push. */
export function encodeScenario2bParameters({
  keyVersion,
  keyLength,
  counter,
}: Scenario2bParameters): Uint8Array {
  return encodeTlv(
    0xa6,
    encodeTlv(0x90, Uint8Array.of(SCENARIO, SYMMETRIC)),
    encodeTlv(0x95, Uint8Array.of(USAGE_CHANNEL_KEYS)),
    encodeTlv(0x80, Uint8Array.of(KEY_TYPE.AES)),
    encodeTlv(0x81, Uint8Array.of(keyLength)),
    encodeTlv(0x82, Uint8Array.of(FIRST_KEY_ID)),
    encodeTlv(0x83, Uint8Array.of(keyVersion)),
    encodeTlv(0x93, counterBytes(counter)),
  );
}

/** Reads {@link encodeScenario2bParameters}; undefined for another scenario, usage, key type or length. */
export function decodeScenario2bParameters(template: Uint8Array): Scenario2bParameters | undefined {
  const [object, ...rest] = decodeTlvs(template);
  if (object?.tag !== 0xa6 || rest.length > 0) return undefined;
  const fields = decodeTlvs(object.value);
  const scenario = requireTlv(fields, 0x90);
  const counter = requireTlv(fields, 0x93);
  const keyLength = byteOf(fields, 0x81);
  const isPush =
    scenario.length === 2 &&
    scenario[0] === SCENARIO &&
    scenario[1] === SYMMETRIC &&
    byteOf(fields, 0x95) === USAGE_CHANNEL_KEYS &&
    byteOf(fields, 0x80) === KEY_TYPE.AES &&
    byteOf(fields, 0x82) === FIRST_KEY_ID;
  if (!isPush || counter.length !== 4 || !isKeyLength(keyLength)) return undefined;
  const value = counter.reduce((sum, byte) => sum * 256 + byte, 0);
  return { keyVersion: byteOf(fields, 0x83), keyLength, counter: value };
}

/**
 * What the card answers once the keys are in: made with them, so that the authority domain cannot make it
 * up.
 */
export function scenario2bReceipt(
  keys: StaticKeys,
  parameters: Scenario2bParameters,
  target: Scenario2bTarget,
): Uint8Array {
  const context = concatBytes(
    encodeScenario2bParameters(parameters),
    encodeLvs(target.cardUniqueData, target.domain),
  );
  return deriveScp03(keys.mac, RECEIPT_CONSTANT, context, RECEIPT_LENGTH);
}

/**
 * Checks the answer to a push: the domain of that card has exactly these keys.
 *
 * @throws SefleetError `GP_RECEIPT_INVALID`.
 */
export function verifyScenario2bReceipt(
  response: Uint8Array,
  keys: StaticKeys,
  parameters: Scenario2bParameters,
  target: Scenario2bTarget,
): void {
  const receipt = requireTlv(decodeTlvs(response), 0x86);
  if (constantTimeEqual(receipt, scenario2bReceipt(keys, parameters, target))) return;
  throw globalPlatformError('GP_RECEIPT_INVALID', 'the receipt of the push does not verify', {
    hint: 'The card holds other keys than these: somebody between has changed them.',
  });
}

/** Over the card, the domain and all groupings, so that nothing of a push can be used elsewhere. */
function pushMac(
  { authentication }: AuthorityKeys,
  { cardUniqueData, domain }: Scenario2bTarget,
  groupings: readonly Dgi[],
): Uint8Array {
  return aesCmac(authentication, encodeLvs(cardUniqueData, domain), encodeDgis(groupings));
}

/** A block that no push uses twice: its counter and the number of the key, enciphered. */
function initialValue({ confidentiality }: AuthorityKeys, counter: number, key: number): Uint8Array {
  const block = new Uint8Array(AES_BLOCK);
  block.set(counterBytes(counter), AES_BLOCK - 5);
  block[AES_BLOCK - 1] = key + 1;
  return aesEcbEncrypt(confidentiality, block);
}

function counterBytes(counter: number): Uint8Array {
  return Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter);
}

function padToBlocks(value: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil(value.length / AES_BLOCK) * AES_BLOCK);
  padded.set(value);
  return padded;
}

function byteOf(fields: readonly Tlv[], tag: number): number {
  const value = requireTlv(fields, tag);
  return value.length === 1 ? (value[0] ?? 0) : -1;
}

function isKeyLength(length: number): length is 16 | 24 | 32 {
  return KEY_LENGTHS.includes(length);
}
