/** CoAP content formats of LwM2M, by their IANA numbers (Core §7.4). */
export const CONTENT_FORMAT = {
  TEXT: 0,
  LINK: 40,
  OPAQUE: 42,
  CBOR: 60,
  SENML_JSON: 110,
  SENML_CBOR: 112,
  SENML_ETCH_JSON: 320,
  SENML_ETCH_CBOR: 322,
  TLV: 11_542,
  LWM2M_JSON: 11_543,
  LWM2M_CBOR: 11_544,
} as const;

/** One of {@link CONTENT_FORMAT}'s numbers. */
export type ContentFormat = (typeof CONTENT_FORMAT)[keyof typeof CONTENT_FORMAT];

const NUMBERS: ReadonlySet<number> = new Set(Object.values(CONTENT_FORMAT));

/** True when the number is a content format that this room encodes and decodes. */
export function isContentFormat(value: number): value is ContentFormat {
  return NUMBERS.has(value);
}

/** What a device announces as `ct` in its registration: everything for single and composite operations. */
export const DATA_FORMATS: readonly ContentFormat[] = [
  CONTENT_FORMAT.CBOR,
  CONTENT_FORMAT.SENML_JSON,
  CONTENT_FORMAT.SENML_CBOR,
  CONTENT_FORMAT.TLV,
  CONTENT_FORMAT.LWM2M_JSON,
  CONTENT_FORMAT.LWM2M_CBOR,
];
