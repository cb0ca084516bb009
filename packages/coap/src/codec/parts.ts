import { encodeText } from './option.ts';

const EMPTY = new Uint8Array(0);

/** A body as bytes; text becomes UTF-8. */
export function bodyBytes(body: Uint8Array | string | undefined): Uint8Array {
  if (body === undefined) return EMPTY;
  return typeof body === 'string' ? encodeText(body) : body;
}

/** All parts, one after the other. A body may have more parts than a call can have arguments. */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
