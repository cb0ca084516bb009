/** Message types (RFC 7252 §3). */
export const MESSAGE_TYPE = { CON: 0, NON: 1, ACK: 2, RST: 3 } as const;
export type MessageType = (typeof MESSAGE_TYPE)[keyof typeof MESSAGE_TYPE];

/** Request methods and their codes (RFC 7252 §5.8, RFC 8132 §6). */
export const METHOD = { GET: 1, POST: 2, PUT: 3, DELETE: 4, FETCH: 5, PATCH: 6, iPATCH: 7 } as const;
export type CoapMethod = keyof typeof METHOD;

/**
 * Response codes, as the byte on the wire: class in the upper three bits, detail below (RFC 7252 §12.1.2).
 */
export const CODE = {
  EMPTY: 0x00,
  CREATED: 0x41,
  DELETED: 0x42,
  VALID: 0x43,
  CHANGED: 0x44,
  CONTENT: 0x45,
  CONTINUE: 0x5f,
  BAD_REQUEST: 0x80,
  UNAUTHORIZED: 0x81,
  BAD_OPTION: 0x82,
  FORBIDDEN: 0x83,
  NOT_FOUND: 0x84,
  METHOD_NOT_ALLOWED: 0x85,
  NOT_ACCEPTABLE: 0x86,
  REQUEST_ENTITY_INCOMPLETE: 0x88,
  CONFLICT: 0x89,
  PRECONDITION_FAILED: 0x8c,
  REQUEST_ENTITY_TOO_LARGE: 0x8d,
  UNSUPPORTED_CONTENT_FORMAT: 0x8f,
  UNPROCESSABLE_ENTITY: 0x96,
  TOO_MANY_REQUESTS: 0x9d,
  INTERNAL_SERVER_ERROR: 0xa0,
  NOT_IMPLEMENTED: 0xa1,
  BAD_GATEWAY: 0xa2,
  SERVICE_UNAVAILABLE: 0xa3,
  GATEWAY_TIMEOUT: 0xa4,
  PROXYING_NOT_SUPPORTED: 0xa5,
} as const;

/** Signaling codes of reliable transports (RFC 8323 §11.1). */
export const SIGNAL = { CSM: 0xe1, PING: 0xe2, PONG: 0xe3, RELEASE: 0xe4, ABORT: 0xe5 } as const;

/** Option numbers (RFC 7252 §12.2 and the RFCs beside each). */
export const OPTION = {
  IF_MATCH: 1,
  URI_HOST: 3,
  ETAG: 4,
  IF_NONE_MATCH: 5,
  /** RFC 7641 */
  OBSERVE: 6,
  URI_PORT: 7,
  LOCATION_PATH: 8,
  URI_PATH: 11,
  CONTENT_FORMAT: 12,
  MAX_AGE: 14,
  URI_QUERY: 15,
  ACCEPT: 17,
  LOCATION_QUERY: 20,
  /** RFC 7959 */
  BLOCK2: 23,
  /** RFC 7959 */
  BLOCK1: 27,
  /** RFC 7959 */
  SIZE2: 28,
  PROXY_URI: 35,
  PROXY_SCHEME: 39,
  SIZE1: 60,
  /** RFC 9175 */
  ECHO: 252,
  /** RFC 7967 */
  NO_RESPONSE: 258,
  /** RFC 9175 */
  REQUEST_TAG: 292,
} as const;

/** Content-Format identifiers that CoAP programs meet most (RFC 7252 §12.3 and the IANA registry). */
export const CONTENT_FORMAT = {
  TEXT_PLAIN: 0,
  LINK_FORMAT: 40,
  XML: 41,
  OCTET_STREAM: 42,
  EXI: 47,
  JSON: 50,
  CBOR: 60,
} as const;

/**
 * The code as people write it: class, dot, two digits of detail (RFC 7252 §3). @example formatCode(0x45) //
 * '2.05'
 */
export function formatCode(code: number): string {
  return `${code >> 5}.${String(code & 0x1f).padStart(2, '0')}`;
}

/** The class of a code: 0 request, 2 success, 4 client error, 5 server error, 7 signaling (RFC 7252 §3). */
export function codeClass(code: number): number {
  return code >> 5;
}

const METHOD_BY_CODE: readonly (CoapMethod | undefined)[] = [
  undefined,
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'FETCH',
  'PATCH',
  'iPATCH',
];

/** The method of a request code, or undefined when no RFC here defines it. */
export function methodOf(code: number): CoapMethod | undefined {
  return METHOD_BY_CODE[code];
}
