import type { ByteReader } from '@sefleet/bytes';
import { decodeError } from '../errors.ts';

/** Tags of ITU-T X.690 §8 that certificates and revocation lists are read with. */
export const DerTag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  CONTEXT_0: 0xa0,
  CONTEXT_3: 0xa3,
} as const;

/** One element: a reader on its contents, and its position in the array that is read. */
export interface DerElement {
  readonly tag: number;
  readonly body: ByteReader;
  readonly start: number;
  readonly end: number;
}

/** The next element; definite lengths only, as DER has them. ITU-T X.690 §10.1. */
export function readElement(reader: ByteReader): DerElement {
  const start = reader.offset;
  const tag = reader.u8();
  const first = reader.u8();
  let length = first;
  if (first > 0x80) {
    const size = first - 0x80;
    if (size > 3) throw decodeError('DER: an element of more than 16 MiB');
    length = 0;
    for (let i = 0; i < size; i++) length = length * 256 + reader.u8();
  } else if (first === 0x80) throw decodeError('DER: an indefinite length');
  const body = reader.sub(length);
  return { tag, body, start, end: body.offset + length };
}

/** The contents of the next element, which has to have this tag. */
export function readTagged(reader: ByteReader, tag: number): ByteReader {
  const element = readElement(reader);
  if (element.tag !== tag) throw decodeError(`DER: tag ${element.tag} where ${tag} was expected`);
  return element.body;
}

/** The contents of the next element when it has this tag; otherwise nothing is read. */
export function readOptional(reader: ByteReader, tag: number): ByteReader | undefined {
  return reader.peek() === tag ? readTagged(reader, tag) : undefined;
}

/** UTCTime or GeneralizedTime in milliseconds since 1970. RFC 5280 §4.1.2.5. */
export function readTime(reader: ByteReader): number {
  const { tag, body } = readElement(reader);
  const text = String.fromCharCode(...body.rest());
  const digits = tag === DerTag.UTC_TIME ? century(text) + text : text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  if (match === null || (tag !== DerTag.UTC_TIME && tag !== DerTag.GENERALIZED_TIME)) {
    throw decodeError('DER: not a time');
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  return utcMs(year, month, day) + ((hour * 60 + minute) * 60 + second) * 1000;
}

/** RFC 5280 §4.1.2.5.1: two-digit years from 50 on are of the last century. */
function century(text: string): string {
  return text >= '50' ? '19' : '20';
}

/**
 * Midnight of a day of the Gregorian calendar. Packages read clocks through their ports, and this reads none.
 */
function utcMs(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const monthFromMarch = (month + 9) % 12;
  const days =
    365 * shifted +
    Math.floor(shifted / 4) -
    Math.floor(shifted / 100) +
    Math.floor(shifted / 400) +
    Math.floor((monthFromMarch * 153 + 2) / 5) +
    (day - 1) -
    DAYS_FROM_YEAR_0_TO_1970;
  return days * 86_400_000;
}

/** From 1 March of year 0, with which the sum above begins. */
const DAYS_FROM_YEAR_0_TO_1970 = 719_468;
