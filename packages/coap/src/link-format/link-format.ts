import { coapError } from '../errors.ts';

/**
 * One attribute of a link; a bare flag such as `obs` has no value. Names may repeat, and their order is kept.
 */
export interface LinkAttribute {
  readonly name: string;
  readonly value?: string | undefined;
  /**
   * Whether the value stood, or is to stand, in quotes; by default it does when its characters ask for it.
   */
  readonly quoted?: boolean | undefined;
}

/** A link to a resource (RFC 6690 §2). */
export interface Link {
  /** What stands between the angle brackets, as it is. */
  readonly target: string;
  readonly attributes: readonly LinkAttribute[];
}

/** Bounds on a document from a peer: no device lists more. */
const MAX_LINKS = 10_000;
const MAX_ATTRIBUTES = 64;
/** RFC 6690 §2: `ptoken`, what a value may be without quotes. */
const TOKEN = /^[!#$%&'()*+\-./0-9:<=>?@A-Z[\]^_`a-z{|}~]+$/;
const NAME = /^[!#$&+\-.^_`|~0-9A-Za-z]+\*?$/;

/**
 * Parses a link-format document (RFC 6690 §2); attributes that nobody knows are kept.
 *
 * @throws SefleetError `COAP_LINK_FORMAT` with the position of what is wrong.
 * @example parseLinkFormat('</3/0>;ver=1.1,</5>')[0]?.target // '/3/0'
 */
export function parseLinkFormat(text: string): Link[] {
  const scanner = new Scanner(text);
  const links: Link[] = [];
  scanner.blanks();
  if (scanner.done) return links;
  do {
    if (links.length === MAX_LINKS) throw scanner.fault(`more than ${MAX_LINKS} links`);
    links.push(readLink(scanner));
  } while (scanner.skip(','));
  if (!scanner.done) throw scanner.fault('a comma is missing');
  return links;
}

/**
 * Writes a link-format document.
 *
 * @throws SefleetError `COAP_LINK_FORMAT` for a target or a name that the format cannot hold.
 * @example formatLinkFormat([{ target: '/3/0', attributes: [{ name: 'ver', value: '1.1' }] }]) //
 *   '</3/0>;ver=1.1'
 */
export function formatLinkFormat(links: readonly Link[]): string {
  return links.map(formatLink).join(',');
}

/** The value of the first attribute of that name; an empty text for a flag, undefined when absent. */
export function linkAttribute(link: Link, name: string): string | undefined {
  const attribute = link.attributes.find((candidate) => candidate.name === name);
  return attribute === undefined ? undefined : (attribute.value ?? '');
}

/**
 * True when a link passes the query of a `/.well-known/core` request (RFC 6690 §4.1): `href` or an attribute,
 * equal to the text or, with a `*` at its end, starting with it; `rt`, `if` and `rel` hold several values
 * with blanks between.
 */
export function linkMatches(link: Link, query: string): boolean {
  const equals = query.indexOf('=');
  if (equals < 0) return true;
  const name = query.slice(0, equals);
  const wanted = query.slice(equals + 1);
  if (name === 'href') return textMatches(link.target, wanted);
  const lists = name === 'rt' || name === 'if' || name === 'rel';
  return link.attributes.some((attribute) => {
    if (attribute.name !== name) return false;
    const value = attribute.value ?? '';
    return lists ? value.split(' ').some((item) => textMatches(item, wanted)) : textMatches(value, wanted);
  });
}

function textMatches(value: string, wanted: string): boolean {
  return wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : value === wanted;
}

function readLink(scanner: Scanner): Link {
  scanner.blanks();
  if (!scanner.skip('<')) throw scanner.fault('a link starts with "<"');
  const target = scanner.until('>');
  const attributes: LinkAttribute[] = [];
  scanner.blanks();
  while (scanner.skip(';')) {
    if (attributes.length === MAX_ATTRIBUTES) throw scanner.fault(`more than ${MAX_ATTRIBUTES} attributes`);
    scanner.blanks();
    attributes.push(readAttribute(scanner));
    scanner.blanks();
  }
  return { target, attributes };
}

function readAttribute(scanner: Scanner): LinkAttribute {
  const name = scanner.word(/[!#$&+\-.^_`|~0-9A-Za-z*]/);
  if (!NAME.test(name)) throw scanner.fault('an attribute name is missing');
  scanner.blanks();
  if (!scanner.skip('=')) return { name };
  scanner.blanks();
  if (scanner.skip('"')) return { name, value: scanner.quoted(), quoted: true };
  // Devices write angle brackets and the like without quotes; what ends a value is a separator alone.
  const value = scanner.word(/[^;,"\s]/);
  if (value === '') throw scanner.fault(`the value of ${name} is missing`);
  return { name, value, quoted: false };
}

function formatLink({ target, attributes }: Link): string {
  if (target.includes('>')) throw coapError('COAP_LINK_FORMAT', `a target with ">": ${target}`);
  let text = `<${target}>`;
  for (const { name, value, quoted } of attributes) {
    if (!NAME.test(name)) throw coapError('COAP_LINK_FORMAT', `"${name}" is no attribute name`);
    if (value === undefined) text += `;${name}`;
    else if (quoted === true || !TOKEN.test(value))
      text += `;${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`;
    else text += `;${name}=${value}`;
  }
  return text;
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  blanks(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  until(character: string): string {
    const end = this.#text.indexOf(character, this.#at);
    if (end < 0) throw this.fault(`"${character}" is missing`);
    const found = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return found;
  }

  word(allowed: RegExp): string {
    const start = this.#at;
    while (!this.done && allowed.test(this.#text[this.#at] ?? '')) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  /** The rest of a quoted text, behind its opening quote; a backslash takes the next character as it is. */
  quoted(): string {
    let value = '';
    for (;;) {
      const character = this.#text[this.#at++];
      if (character === undefined) throw this.fault('a closing quote is missing');
      if (character === '"') return value;
      if (character !== '\\') value += character;
      else if (this.done) throw this.fault('a closing quote is missing');
      else value += this.#text[this.#at++] ?? '';
    }
  }

  fault(message: string): Error {
    return coapError('COAP_LINK_FORMAT', `${message}, at character ${this.#at}`, {
      context: { at: this.#at },
    });
  }
}
