import { integerFrom } from '../model/value.ts';
import { contentInvalid, decodeUtf8 } from './typed-value.ts';

/** An integer that a double may not hold: only then is the source text of numbers looked at. */
const LONG_INTEGER = /\d{16}/;

/** Parses JSON so that integers of 64 bits stay exact; throws the decode error. */
export function parseJson(payload: Uint8Array): unknown {
  const text = decodeUtf8(payload);
  try {
    return LONG_INTEGER.test(text) ? JSON.parse(text, keepLongIntegers) : JSON.parse(text);
  } catch (error) {
    throw contentInvalid('not JSON', error);
  }
}

function keepLongIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  if (typeof value !== 'number' || source === undefined || !/^-?\d{16,20}$/.test(source)) return value;
  return integerFrom(BigInt(source));
}

/** A JSON object, by its own names. */
export function asRecord(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw contentInvalid('an object is expected');
  }
  return new Map<string, unknown>(Object.entries(value));
}

export function asText(value: unknown): string {
  if (typeof value !== 'string') throw contentInvalid('not a string');
  return value;
}

export function asNumber(value: unknown): number | bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint') throw contentInvalid('not a number');
  return value;
}
