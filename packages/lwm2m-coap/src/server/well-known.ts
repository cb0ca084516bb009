import { CODE, type CoapReply, type CoapRequest } from '@sefleet/coap';
import { CONTENT_FORMAT } from '@sefleet/lwm2m';

/** Answers `/.well-known/core` with a list of links (RFC 6690 §4). */
export function wellKnown(request: CoapRequest, links: string): CoapReply {
  if (request.segments.length !== 2 || request.segments[1] !== 'core') return { code: CODE.NOT_FOUND };
  if (request.method !== 'GET') return { code: CODE.METHOD_NOT_ALLOWED };
  return { code: CODE.CONTENT, payload: links, contentFormat: CONTENT_FORMAT.LINK };
}
