import { readSources } from './sources.ts';

/** What is known of an error code from the place that defines it. */
export interface ErrorCode {
  readonly code: string;
  readonly fault: string;
  readonly doc: string;
  readonly room: string;
}

/** Codes given straight to the constructor: `new SefleetError('CODE', 'fault', 'message'...`. */
const RAISED =
  /new SefleetError\(\s*'([A-Z0-9_]+)',\s*'(peer|caller|internal|environment)',\s*(?:['`]([^'`]*))?/g;
/** Codes of a room's catalogue: `CODE: { fault: 'peer', doc: '...' }`. */
const CATALOGUED =
  /^\s*'?([A-Z][A-Z0-9_]+)'?:\s*\{\s*fault:\s*'(peer|caller|internal|environment)',\s*doc:\s*(['"`])((?:(?!\3).)*)\3/gms;

/** Every error code of the sources, by code. */
export function readErrorCodes(): Map<string, ErrorCode> {
  const codes = new Map<string, ErrorCode>();
  for (const { path, text } of readSources()) {
    const room = path.split('/').slice(0, 2).join('/');
    for (const [, code = '', fault = '', , doc = ''] of text.matchAll(CATALOGUED))
      codes.set(code, { code, fault, doc, room });
    for (const [, code = '', fault = '', message = ''] of text.matchAll(RAISED)) {
      if (!codes.has(code))
        codes.set(code, { code, fault, doc: message.replaceAll(/\$\{[^}]*\}/g, '…'), room });
    }
  }
  return codes;
}
