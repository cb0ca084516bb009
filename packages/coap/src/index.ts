export { CODE, codeClass, CONTENT_FORMAT, formatCode, MESSAGE_TYPE, METHOD, OPTION } from './constants.ts';
export type { CoapMethod, MessageType } from './constants.ts';
export {
  decodeText,
  decodeUint,
  encodeText,
  encodeUint,
  findOption,
  findStrings,
  findUint,
  stringOption,
  uintOption,
} from './codec/option.ts';
export type { CoapOption } from './codec/option.ts';
export { decodeMessage, encodeMessage } from './codec/message.ts';
export type { CoapMessage } from './codec/message.ts';
export { createCoapEndpoint } from './coap-endpoint.ts';
export { createCoapStreamEndpoint } from './coap-stream-endpoint.ts';
export type {
  ClientObservation,
  CoapEndpoint,
  CoapEndpointOptions,
  CoapRoleOptions,
  CoapStreamEndpoint,
  NotificationListener,
  ObservationEndReason,
  RequestHead,
} from './endpoint.ts';
export { COAP_ERRORS } from './errors.ts';
export type { CoapErrorCode } from './errors.ts';
export { DEFAULT_LIMITS } from './limits.ts';
export type { CoapLimits } from './limits.ts';
export type {
  CoapRequest,
  CoapRequestInit,
  NotificationOutcome,
  NotifyOptions,
  ObservationEnd,
  ObserveRequest,
  RequestHandler,
  ServerObservation,
} from './request.ts';
export { formatLinkFormat, linkAttribute, linkMatches, parseLinkFormat } from './link-format/link-format.ts';
export type { Link, LinkAttribute } from './link-format/link-format.ts';
export type { CoapReply, CoapResponse } from './response.ts';
export { deriveTimes, TRANSMISSION_PARAMETERS } from './settings.ts';
export type { DerivedTimes, ParameterDefinition, TransmissionParameters } from './settings.ts';
export { requireFreshness } from './server/freshness.ts';
export type { FreshnessOptions } from './server/freshness.ts';
export { createRouter, linksReply } from './server/router.ts';
export type { CoapRouter, RouteHandler, RouteOptions } from './server/router.ts';
export { DEFAULT_PORTS, formatCoapUri, parseCoapUri } from './uri/coap-uri.ts';
export type { CoapScheme, CoapUri } from './uri/coap-uri.ts';
