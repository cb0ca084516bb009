import type { Lwm2mPath } from '../model/path.ts';
import { parseNodeName } from './node-name.ts';
import type { NodePlace } from './node-name.ts';
import { contentInvalid, decodeUtf8 } from './typed-value.ts';

/**
 * One link of a CoRE link list (RFC 6690): its target as it stands between `<` and `>`, and its attributes.
 */
export interface CoreLink {
  readonly target: string;
  /** An attribute without a value is `true`. */
  readonly attributes: ReadonlyMap<string, string | true>;
}

/** Links in one list: a device with 1,000 instances is large already. */
const LINKS_MAX = 10_000;
const UTF8 = new TextEncoder();
const NO_ATTRIBUTES: ReadonlyMap<string, string | true> = new Map();
/** RFC 6690 §2: attribute values that need no quotes; LwM2M writes numbers and versions bare. */
const BARE_VALUE = /^[0-9A-Za-z.+-]+$/;
const QUOTED_ALWAYS: ReadonlySet<string> = new Set(['rt', 'if', 'ct', 'title', 'anchor', 'rel']);

/** A link to a node of the tree. */
export function nodeLink(path: Lwm2mPath, attributes = NO_ATTRIBUTES): CoreLink {
  return { target: path.toString(), attributes };
}

/** Content format 40. */
export function encodeLinks(links: readonly CoreLink[]): Uint8Array {
  return UTF8.encode(links.map(formatLink).join());
}

function formatLink({ target, attributes }: CoreLink): string {
  let text = `<${target}>`;
  for (const [name, value] of attributes) {
    if (value === true) text += `;${name}`;
    else if (BARE_VALUE.test(value) && !needsQuotes(name, value)) text += `;${name}=${value}`;
    else text += `;${name}="${value.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  }
  return text;
}

/**
 * `ct=110` is a number and stands bare; `ct="110 112"` and the string attributes of RFC 6690 stand in quotes.
 */
function needsQuotes(name: string, value: string): boolean {
  return QUOTED_ALWAYS.has(name) && !(name === 'ct' && /^\d+$/.test(value));
}

/** Content format 40; throws `LWM2M_CONTENT_INVALID`. An empty payload is an empty list. */
export function decodeLinks(payload: Uint8Array): readonly CoreLink[] {
  const text = decodeUtf8(payload);
  const links: CoreLink[] = [];
  const scanner = new LinkScanner(text);
  while (!scanner.atEnd()) {
    if (links.length > 0) scanner.expect(',');
    links.push(scanner.link());
    if (links.length > LINKS_MAX) throw contentInvalid('too many links');
  }
  return links;
}

/** The node that a link names, with the prefix of a gateway's end device if it has one (Gateway 1.1 §6). */
export function linkPath(link: CoreLink, rootPath = ''): NodePlace | undefined {
  if (rootPath !== '' && rootPath !== '/' && !link.target.startsWith(`${rootPath}/`)) return undefined;
  const target = rootPath === '' || rootPath === '/' ? link.target : link.target.slice(rootPath.length);
  return parseNodeName(target);
}

class LinkScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#blanks();
    return this.#at >= this.#text.length;
  }

  expect(char: string): void {
    this.#blanks();
    if (this.#text[this.#at] !== char) throw contentInvalid(`link format: '${char}' expected at ${this.#at}`);
    this.#at++;
  }

  link(): CoreLink {
    this.expect('<');
    const end = this.#text.indexOf('>', this.#at);
    if (end < 0) throw contentInvalid('link format: a target without end');
    const target = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    const attributes = new Map<string, string | true>();
    while (this.#skip(';')) this.#attribute(attributes);
    return { target, attributes: attributes.size === 0 ? NO_ATTRIBUTES : attributes };
  }

  #attribute(attributes: Map<string, string | true>): void {
    const name = this.#take(/[\w!#$&+\-^`|~*]+/y);
    if (name === undefined) throw contentInvalid('link format: an attribute without name');
    let value: string | true = true;
    if (this.#skip('=')) {
      const quoted = this.#take(/"(?:[^"\\]|\\.)*"/y);
      const bare = quoted === undefined ? this.#take(/[^\s",;\\<>]+/y) : undefined;
      if (quoted === undefined && bare === undefined) throw contentInvalid('link format: a value is missing');
      value = quoted === undefined ? (bare ?? '') : quoted.slice(1, -1).replaceAll(/\\(.)/g, '$1');
    }
    // RFC 6690 §2.2: of an attribute given twice, the first counts.
    if (!attributes.has(name)) attributes.set(name, value);
  }

  #skip(char: string): boolean {
    this.#blanks();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    this.#blanks();
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.#at += match.length;
    return match;
  }

  #blanks(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\n' || this.#text[this.#at] === '\r')
      this.#at++;
  }
}
