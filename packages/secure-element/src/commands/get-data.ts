import { concatBytes } from '@sefleet/bytes';
import {
  aidBytes,
  DATA_OBJECT,
  decodeTlvs,
  encodeKeyInformation,
  encodeTlv,
  KEY_TYPE,
  requireTlv,
  STATUS_WORD,
} from '@sefleet/globalplatform';
import type { KeyInformation, Tlv } from '@sefleet/globalplatform';
import type { Answer } from '../applets/applet.ts';
import type { Key, SecurityDomain } from '../card/card-state.ts';
import { refuse } from '../card/refusal.ts';
import { freeBytes } from '../registry/memory.ts';
import { channelKeys } from '../registry/registry.ts';
import { cardCapabilities, cardRecognitionData } from './card-data.ts';
import { selectedDomain } from './command-context.ts';
import type { CommandContext } from './command-context.ts';

/** The counter of the last push of keys, in the authority's domain: a number that STORE DATA cannot write. */
export const AUTHORITY_COUNTER = 0xdf11;
const DOMAIN_AID = 0x4f;
const SERIAL_AT = 12;
const SERIAL_LENGTH = 4;
/**
 * Where the pre-personaliser (9F66) and the personaliser (9F67) leave who, when and with what they worked.
 */
const PRODUCTION_FIELDS: Readonly<Record<number, number>> = { 0x9f67: 26, 0x9f66: 34 };
const PRODUCTION_FIELD_LENGTH = 8;
/** Volatile bytes that the card reports; it is not limited by them. */
const VOLATILE_BYTES = 8192;

/** The data objects that the card makes itself; all others are what STORE DATA wrote. */
const READERS: Readonly<Record<number, (context: CommandContext, domain: SecurityDomain) => Uint8Array>> = {
  [DATA_OBJECT.CARD_DATA]: (_, domain) => cardRecognitionData(domain.scp03),
  [DATA_OBJECT.CARD_CAPABILITIES]: (_, domain) => cardCapabilities(domain.scp03),
  [DATA_OBJECT.KEY_INFORMATION]: (_, domain) => encodeKeyInformation(describeKeys(domain)),
  [DATA_OBJECT.SEQUENCE_COUNTER]: sequenceCounter,
  [DATA_OBJECT.CONFIRMATION_COUNTER]: ({ tx }) => {
    const counter = tx.state.confirmationCounter;
    return encodeTlv(0xc2, Uint8Array.of(counter >> 8, counter));
  },
  [DATA_OBJECT.DIVERSIFICATION_DATA]: ({ tx }) => encodeTlv(0xcf, tx.state.identity.diversificationData),
  [DATA_OBJECT.CPLC]: productionData,
  [DATA_OBJECT.APPLICATIONS]: ({ tx }, domain) => {
    const below = tx.state.entries.filter((entry) => entry.parent === domain.aid);
    return encodeTlv(0x2f00, ...below.map((entry) => encodeTlv(0x61, encodeTlv(0x4f, aidBytes(entry.aid)))));
  },
  [DATA_OBJECT.RESOURCES]: resources,
};

/** GET DATA (GPCS 2.3.1 §11.3). */
export function getData(context: CommandContext): Answer {
  const { command } = context;
  const domain = selectedDomain(context);
  const tag = (command.p1 << 8) | command.p2;
  const reader = READERS[tag];
  if (reader !== undefined) return reader(context, domain);
  if (tag === DATA_OBJECT.CERTIFICATE_STORE && command.data.length > 0)
    return certificatesOf(domain, command.data);
  const stored = domain.objects.find((object) => object.tag === tag);
  if (stored === undefined) return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  return encodeTlv(stored.tag, stored.value);
}

/**
 * The certificates of one key, which A6{83 identifier, version} names: what STORE DATA wrote, without a tag
 * around it.
 */
function certificatesOf(domain: SecurityDomain, selector: Uint8Array): Uint8Array {
  const place = readCertificateSelector(decodeTlvs(selector));
  const stored = domain.objects.find((object) => object.tag === place);
  return stored === undefined ? refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND) : stored.value;
}

/**
 * The place of a key's certificates among the stored objects: a number that is no tag, from identifier and
 * version.
 */
export function readCertificateSelector(objects: readonly Tlv[]): number {
  const [id, version, ...rest] = requireTlv(decodeTlvs(requireTlv(objects, 0xa6)), 0x83);
  if (id === undefined || version === undefined || rest.length > 0) return refuse(STATUS_WORD.WRONG_DATA);
  return (id << 8) | version;
}

/**
 * True for tags that the card makes itself, the domain's own AID among them: STORE DATA cannot write them.
 */
export function isMadeByCard(tag: number): boolean {
  return tag === DOMAIN_AID || tag === AUTHORITY_COUNTER || READERS[tag] !== undefined;
}

function describeKeys(domain: SecurityDomain): readonly KeyInformation[] {
  return domain.keySets.flatMap((set) =>
    set.keys.map((key) => ({
      keyId: key.id,
      keyVersion: set.version,
      components: [
        { type: key.type, length: key.value.length & 0xff },
        ...(key.exponent === undefined ? [] : [{ type: KEY_TYPE.RSA_EXPONENT, length: key.exponent.length }]),
        ...(isCurveKey(key) ? [{ type: KEY_TYPE.EC_PARAMETERS, length: 1 }] : []),
      ],
    })),
  );
}

function isCurveKey({ type }: Key): boolean {
  return type === KEY_TYPE.EC_PUBLIC || type === KEY_TYPE.EC_PRIVATE;
}

function sequenceCounter({ tx }: CommandContext, domain: SecurityDomain): Uint8Array {
  const keys = channelKeys(tx.state, domain, 0);
  if (keys === undefined) return refuse(STATUS_WORD.REFERENCED_DATA_NOT_FOUND);
  const { sequence } = keys.keySet;
  return encodeTlv(0xc1, Uint8Array.of(sequence >> 16, sequence >> 8, sequence));
}

function productionData({ card, tx }: CommandContext): Uint8Array {
  const data = card.profile.productionData.slice();
  data.set(tx.state.identity.diversificationData.subarray(-SERIAL_LENGTH), SERIAL_AT);
  const [issuer] = tx.state.entries;
  for (const { tag, value } of issuer?.kind === 'security-domain' ? issuer.objects : []) {
    const at = PRODUCTION_FIELDS[tag];
    if (at !== undefined) data.set(value.subarray(0, PRODUCTION_FIELD_LENGTH), at);
  }
  return encodeTlv(0x9f7f, data);
}

function resources({ card, tx }: CommandContext): Uint8Array {
  const free = freeBytes(tx.state, card);
  const applications = tx.state.entries.filter((entry) => entry.kind === 'application').length;
  const body = concatBytes(
    encodeTlv(0x81, Uint8Array.of(applications >> 8, applications)),
    encodeTlv(0x82, Uint8Array.of(free >> 24, free >> 16, free >> 8, free)),
    encodeTlv(0x83, Uint8Array.of(0, 0, VOLATILE_BYTES >> 8, VOLATILE_BYTES & 0xff)),
  );
  return encodeTlv(0xff21, body);
}
