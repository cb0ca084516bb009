import { coapError } from '../errors.ts';

/** The URI schemes of CoAP (RFC 7252 §6, RFC 8323 §8). */
export type CoapScheme = 'coap' | 'coaps' | 'coap+tcp' | 'coaps+tcp';

/** A CoAP URI, taken apart into what the options of a request hold (RFC 7252 §6.4). */
export interface CoapUri {
  readonly scheme: CoapScheme;
  /** A name or a literal address; an IPv6 address stands without its brackets. */
  readonly host: string;
  readonly port: number;
  /** Percent-decoded. */
  readonly path: readonly string[];
  /** Percent-decoded. */
  readonly query: readonly string[];
}

/** RFC 7252 §6.1, §6.2; RFC 8323 §8.1, §8.2. */
export const DEFAULT_PORTS: Readonly<Record<CoapScheme, number>> = {
  coap: 5683,
  coaps: 5684,
  'coap+tcp': 5683,
  'coaps+tcp': 5684,
};

const SHAPE = /^([a-z+]+):\/\/(\[[0-9a-fA-F:.]+\]|[^:/?#[\]@]+)(?::([0-9]{0,5}))?([^?#]*)(?:\?([^#]*))?$/i;

/**
 * Takes a CoAP URI apart (RFC 7252 §6.4).
 *
 * @throws SefleetError `COAP_ARGUMENT_INVALID` when it is not absolute, has a fragment, another scheme or a
 *   port
 *   above 65535, or is badly percent-encoded.
 * @example parseCoapUri('coap://[::1]/rd?ep=m1').query // ['ep=m1']
 */
export function parseCoapUri(text: string): CoapUri {
  const parts = SHAPE.exec(text);
  if (parts === null) throw invalid(text, 'it does not have the form scheme://host:port/path?query');
  const [, schemeText = '', hostText = '', portText = '', pathText = '', queryText] = parts;
  const scheme = schemeText.toLowerCase();
  if (!isCoapScheme(scheme))
    throw invalid(text, `${schemeText} is not one of ${Object.keys(DEFAULT_PORTS).join(', ')}`);
  const port = portText === '' ? DEFAULT_PORTS[scheme] : Number(portText);
  if (port > 65_535) throw invalid(text, `port ${port} is above 65535`);
  if (pathText !== '' && !pathText.startsWith('/'))
    throw invalid(text, 'its path does not start with a slash');
  try {
    return {
      scheme,
      host: hostText.startsWith('[') ? hostText.slice(1, -1) : decodeURIComponent(hostText).toLowerCase(),
      port,
      // RFC 7252 §6.4 step 8: the path "/" alone is no option at all.
      path: pathText === '' || pathText === '/' ? [] : pathText.slice(1).split('/').map(decodeURIComponent),
      query: queryText === undefined ? [] : queryText.split('&').map(decodeURIComponent),
    };
  } catch (cause) {
    throw invalid(text, 'its percent-encoding is broken', cause);
  }
}

/**
 * Puts a CoAP URI together (RFC 7252 §6.5); the port is left out when it is the scheme's own.
 *
 * @example formatCoapUri({ scheme: 'coaps', host: '::1', port: 5684, path: ['rd'], query: [] }) //
 *   'coaps://[::1]/rd'
 */
export function formatCoapUri({ scheme, host, port, path, query }: CoapUri): string {
  const authority = host.includes(':') ? `[${host}]` : encodeURIComponent(host);
  const portText = port === DEFAULT_PORTS[scheme] ? '' : `:${port}`;
  const pathText = path.map((segment) => encode(segment, /[;&=+$,:@!'()*/?]/g, '/?')).join('/');
  const queryText = query.map((item) => encode(item, /[;=+$,:@!'()*/?]/g, '&')).join('&');
  return `${scheme}://${authority}${portText}/${pathText}${query.length === 0 ? '' : `?${queryText}`}`;
}

/** Encodes everything but unreserved characters and those that may stand for themselves. */
function encode(text: string, plain: RegExp, reserved: string): string {
  let encoded = '';
  for (const character of text) {
    const itself = new RegExp(plain.source).test(character) && !reserved.includes(character);
    encoded += itself ? character : encodeURIComponent(character);
  }
  return encoded;
}

function isCoapScheme(scheme: string): scheme is CoapScheme {
  return Object.hasOwn(DEFAULT_PORTS, scheme);
}

function invalid(text: string, why: string, cause?: unknown): Error {
  return coapError('COAP_ARGUMENT_INVALID', `"${text}" is no CoAP URI: ${why}`, {
    cause,
    context: { uri: text },
  });
}
