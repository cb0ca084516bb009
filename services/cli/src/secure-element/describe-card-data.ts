import {
  DATA_OBJECT,
  decodeCertificate,
  decodeKeyInformation,
  decodeOnlyTlv,
  decodePrivileges,
  decodeTlvs,
  encodeTlv,
  findTlv,
  KEY_TYPE,
  privilegeNames,
} from '@sefleet/globalplatform';
import { toWords } from './describe-command.ts';
import { hexNumber, hexText } from './hex-text.ts';
import { keyTypeName } from './key-type-name.ts';

const X509_CERTIFICATE = 0x30;
const GLOBALPLATFORM_OID = '2A864886FC6B';

/** What GET DATA of `tag` answered, a line each; undefined for objects that are read as plain BER-TLV. */
export function explainCardData(tag: number, data: Uint8Array): readonly string[] | undefined {
  switch (tag) {
    case DATA_OBJECT.CARD_DATA:
      return explainManagementData(decodeOnlyTlv(decodeOnlyTlv(data, 0x66), 0x73));
    case DATA_OBJECT.CARD_CAPABILITIES:
      return capabilities(decodeOnlyTlv(data, 0x67));
    case DATA_OBJECT.KEY_INFORMATION:
      return keyInformation(data);
    case DATA_OBJECT.SEQUENCE_COUNTER:
    case DATA_OBJECT.CONFIRMATION_COUNTER:
      return [String(toNumber(decodeOnlyTlv(data, tag)))];
    case DATA_OBJECT.CPLC:
      return productionData(decodeOnlyTlv(data, tag));
    case DATA_OBJECT.APPLICATIONS:
      return decodeTlvs(decodeOnlyTlv(data, tag)).map(({ value }) => hexText(decodeOnlyTlv(value, 0x4f)));
    case DATA_OBJECT.RESOURCES:
      return resources(decodeOnlyTlv(data, tag));
    case DATA_OBJECT.CERTIFICATE:
      return certificate(data);
    case DATA_OBJECT.CERTIFICATE_STORE:
      return certificates(data);
    default:
      return undefined;
  }
}

/**
 * Security Domain management data (GPCS 2.3.1 table H-1): GlobalPlatform version, secure channel protocols.
 */
export function explainManagementData(data: Uint8Array): readonly string[] {
  return decodeTlvs(data).flatMap(({ tag, value }) => {
    if (tag === 0x06) return [];
    return decodeTlvs(value).map(({ value: oid }) => oidMeaning(oid));
  });
}

/** The identifiers below GlobalPlatform's arc that name what a card is. */
function oidMeaning(oid: Uint8Array): string {
  const hex = hexText(oid);
  if (!hex.startsWith(GLOBALPLATFORM_OID)) return `object identifier ${hex}`;
  const [branch, ...rest] = oid.subarray(GLOBALPLATFORM_OID.length / 2);
  if (branch === 0x02) return `GlobalPlatform ${rest.join('.')}`;
  if (branch === 0x03) return 'card identification scheme: issuer and card image number';
  if (branch === 0x04) {
    const [protocol = 0, ...i] = rest;
    return `SCP${hexNumber(protocol)}, i = ${i.map((one) => hexNumber(one)).join('')}`;
  }
  return `object identifier ${hex}`;
}

function capabilities(data: Uint8Array): readonly string[] {
  return decodeTlvs(data).flatMap(({ tag, value }) => {
    if (tag === 0xa0) return [channelProtocol(value)];
    const name = CAPABILITIES[tag];
    if (name === undefined) return [`${hexNumber(tag)} ${hexText(value)}`];
    const privileges = tag <= 0x82 ? decodePrivileges(value) : undefined;
    return [`${name}: ${privileges === undefined ? hexText(value) : toWords(privilegeNames(privileges))}`];
  });
}

const CAPABILITIES: Readonly<Record<number, string>> = {
  0x81: 'privileges of domains',
  0x82: 'privileges of applications',
  0x83: 'hashes of load files',
  0x84: 'ciphers of load files',
  0x85: 'token signatures',
  0x86: 'receipt signatures',
  0x87: 'DAP signatures',
};

function channelProtocol(value: Uint8Array): string {
  const objects = decodeTlvs(value);
  const [protocol = 0] = findTlv(objects, 0x80) ?? [];
  const i = [...(findTlv(objects, 0x81) ?? [])].map((one) => hexNumber(one)).join(', ');
  const [sizes = 0] = findTlv(objects, 0x82) ?? [];
  const lengths = [128, 192, 256].filter((_, bit) => (sizes & (1 << bit)) !== 0);
  const keys = lengths.length === 0 ? '' : `, AES-${lengths.join('/')}`;
  return `SCP${hexNumber(protocol)}, i = ${i}${keys}`;
}

function keyInformation(data: Uint8Array): readonly string[] {
  return decodeKeyInformation(data).map(({ keyId, keyVersion, components: [first] }) => {
    const name = first === undefined ? '' : keyTypeName(first.type, keyBytes(first));
    return `key version ${hexNumber(keyVersion)}, identifier ${hexNumber(keyId)}: ${name}`;
  });
}

/** The basic form has one byte for the length: 00 is 256 (RSA-2048). */
function keyBytes({ type, length }: { readonly type: number; readonly length: number }): number {
  return type === KEY_TYPE.RSA_MODULUS && length === 0 ? 256 : length;
}

/** Fields of the card production life cycle data, with their lengths (GPCS and its predecessor VOP 2.0.1). */
const PRODUCTION_FIELDS = [
  ['IC fabricator', 2],
  ['IC type', 2],
  ['operating system', 2],
  ['operating system release date', 2],
  ['operating system release level', 2],
  ['IC fabrication date', 2],
  ['IC serial number', 4],
  ['IC batch', 2],
  ['module fabricator', 2],
  ['module packaging date', 2],
  ['card manufacturer', 2],
  ['embedding date', 2],
  ['pre-personaliser', 2],
  ['pre-personalisation date', 2],
  ['pre-personalisation equipment', 4],
  ['personaliser', 2],
  ['personalisation date', 2],
  ['personalisation equipment', 4],
] as const;

function productionData(data: Uint8Array): readonly string[] {
  let at = 0;
  return PRODUCTION_FIELDS.map(([name, length]) => {
    const value = data.subarray(at, at + length);
    at += length;
    return `${name} ${hexText(value)}`;
  });
}

function resources(data: Uint8Array): readonly string[] {
  const objects = decodeTlvs(data);
  const read = (tag: number): number => toNumber(findTlv(objects, tag) ?? new Uint8Array(0));
  return [
    `applications ${read(0x81)}`,
    `free non-volatile memory ${read(0x82)} bytes`,
    `free volatile memory ${read(0x83)} bytes`,
  ];
}

/** A GlobalPlatform certificate (7F21), read and not verified. */
function certificate(data: Uint8Array): readonly string[] {
  const { serialNumber, authority, subject, usage, effective, expiration, publicKey } =
    decodeCertificate(data);
  return [
    `certificate ${hexText(serialNumber)} of ${hexText(subject)} by ${hexText(authority)}`,
    `usage ${hexNumber(usage, 2)}, valid ${effective === undefined ? '' : `from ${effective} `}to ${expiration}`,
    `public key ${hexText(publicKey)}`,
  ];
}

/** One certificate behind the other, of either form; the store's own tag around them or not. */
function certificates(data: Uint8Array): readonly string[] | undefined {
  const objects = decodeTlvs(data);
  const [first] = objects;
  const inside = first?.tag === DATA_OBJECT.CERTIFICATE_STORE ? decodeTlvs(first.value) : objects;
  if (inside.some(({ tag }) => tag !== DATA_OBJECT.CERTIFICATE && tag !== X509_CERTIFICATE)) return undefined;
  return inside.flatMap(({ tag, value }) =>
    tag === DATA_OBJECT.CERTIFICATE
      ? certificate(encodeTlv(tag, value))
      : [`X.509 certificate of ${encodeTlv(tag, value).length} bytes`],
  );
}

function toNumber(bytes: Uint8Array): number {
  return bytes.reduce((sum, octet) => sum * 256 + octet, 0);
}
