import type { CommandApdu } from '../apdu/command-apdu.ts';
import { expectStatus } from '../secure-channel/transmit.ts';
import type { CardLink } from '../secure-channel/transmit.ts';
import { decodeOnlyTlv, decodeTlvs, encodeTlv } from '../tlv/ber-tlv.ts';
import { globalPlatformError } from '../errors.ts';
import { gpCommand, INS } from './command.ts';

/** Data objects of GET DATA (GPCS 2.3.1 §11.3.3.1 and amendments). */
export const DATA_OBJECT = {
  ISSUER_IDENTIFICATION: 0x0042,
  CARD_IMAGE: 0x0045,
  CARD_DATA: 0x0066,
  CARD_CAPABILITIES: 0x0067,
  KEY_INFORMATION: 0x00e0,
  SEQUENCE_COUNTER: 0x00c1,
  CONFIRMATION_COUNTER: 0x00c2,
  DIVERSIFICATION_DATA: 0x00cf,
  CPLC: 0x9f7f,
  APPLICATIONS: 0x2f00,
  RESOURCES: 0xff21,
  CERTIFICATE_STORE: 0xbf21,
  CERTIFICATE: 0x7f21,
} as const;

/** One key of a Security Domain, as the key information template names it. */
export interface KeyInformation {
  readonly keyId: number;
  readonly keyVersion: number;
  /** Key type and length in bytes of each component. */
  readonly components: readonly { readonly type: number; readonly length: number }[];
}

/** GET DATA of the object with `tag`; `data` is for the objects that take a selector (BF21). */
export function getDataCommand(tag: number, data: Uint8Array = new Uint8Array(0)): CommandApdu {
  return gpCommand(INS.GET_DATA, tag >> 8, tag & 0xff, data);
}

/** The keys of the selected Security Domain: which versions it has, of which type and length. */
export async function readKeyInformation(link: CardLink): Promise<readonly KeyInformation[]> {
  const { data } = await expectStatus(link, getDataCommand(DATA_OBJECT.KEY_INFORMATION), 'GET DATA 00E0');
  return decodeKeyInformation(data);
}

/** Reads a key information template (E0). Both the basic form and the one with two-byte lengths are known. */
export function decodeKeyInformation(data: Uint8Array): readonly KeyInformation[] {
  return decodeTlvs(decodeOnlyTlv(data, 0xe0))
    .filter((object) => object.tag === 0xc0)
    .map((object) => decodeEntry(object.value));
}

/** A key information template (E0), in the basic form. */
export function encodeKeyInformation(keys: readonly KeyInformation[]): Uint8Array {
  const entries = keys.map((key) => {
    const components = key.components.flatMap(({ type, length }) => [type, length]);
    return encodeTlv(0xc0, Uint8Array.from([key.keyId, key.keyVersion, ...components]));
  });
  return encodeTlv(0xe0, ...entries);
}

function decodeEntry(value: Uint8Array): KeyInformation {
  const [keyId, keyVersion, ...rest] = value;
  if (keyId === undefined || keyVersion === undefined || rest.length < 2) {
    throw globalPlatformError('GP_TLV_MALFORMED', 'a key information entry is too short');
  }
  const components: { type: number; length: number }[] = [];
  if (rest[0] !== 0xff) {
    for (let i = 0; i + 1 < rest.length; i += 2)
      components.push({ type: rest[i] ?? 0, length: rest[i + 1] ?? 0 });
    return { keyId, keyVersion, components };
  }
  for (let i = 0; i + 3 < rest.length && rest[i] === 0xff; i += 4) {
    components.push({ type: rest[i + 1] ?? 0, length: ((rest[i + 2] ?? 0) << 8) | (rest[i + 3] ?? 0) });
  }
  return { keyId, keyVersion, components };
}
