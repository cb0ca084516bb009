import { isSefleetError } from '@sefleet/errors';
import { decodeLinks, encodeLinks, linkPath } from '../content/links.ts';
import type { CoreLink } from '../content/links.ts';
import { DATA_FORMATS } from '../content/content-format.ts';
import type { ContentFormat } from '../content/content-format.ts';
import { lwm2mError } from '../errors.ts';
import type { Lwm2mPath } from '../model/path.ts';

/** Core §6.2.1: without `lt` a registration lives a day. */
export const LIFETIME_DEFAULT_SECONDS = 86_400;
const ENDPOINT_BYTES_MAX = 255;
const QUERIES_MAX = 32;

/** An object or an instance that a device announces. */
export interface RegisteredObject {
  readonly path: Lwm2mPath;
  /** The object's version, on the link of the object. */
  readonly version?: string;
  /** The prefix of a gateway's end device, when the link has one. */
  readonly prefix?: string;
}

/** What a device says of itself when it registers (Core §6.2.1). */
export interface RegistrationRequest {
  /** Undefined when the server is to take it from the credential. */
  readonly endpoint: string | undefined;
  /** 0 means: without end (LwM2M 1.2). */
  readonly lifetimeSeconds: number;
  /** `1.0`, `1.1` or `1.2`. */
  readonly version: string;
  /** Letters of the transports, such as `U` or `UT`. */
  readonly binding: string;
  readonly queueMode: boolean;
  readonly smsNumber?: string;
  /** The alternate path, `/` by default. */
  readonly rootPath: string;
  /** Content formats that the device has announced with `ct` on its root link. */
  readonly contentFormats: readonly number[];
  readonly objects: readonly RegisteredObject[];
}

/** What an update changes (Core §6.2.2); what is undefined stays. */
export interface RegistrationUpdate {
  readonly lifetimeSeconds?: number;
  readonly binding?: string;
  readonly queueMode?: boolean;
  readonly smsNumber?: string;
  readonly objects?: readonly RegisteredObject[];
  readonly rootPath?: string;
  readonly contentFormats?: readonly number[];
}

/** Uri-Query options of a Register. */
export function registrationQueries(
  request: Pick<RegistrationRequest, 'endpoint' | 'lifetimeSeconds' | 'version' | 'binding' | 'queueMode'>,
): string[] {
  const queries = [`lwm2m=${request.version}`, `lt=${request.lifetimeSeconds}`];
  if (request.endpoint !== undefined) queries.unshift(`ep=${request.endpoint}`);
  if (request.version === '1.0') {
    // Core 1.0 §5.3.1.1 has the queue mode among the letters.
    queries.push(`b=${request.binding}${request.queueMode ? 'Q' : ''}`);
  } else {
    queries.push(`b=${request.binding}`);
    if (request.queueMode) queries.push('Q');
  }
  return queries;
}

/**
 * The body of a Register or an Update: the root link, then the objects.
 *
 * @param formats announced as `ct`; there are servers that refuse a list of several (Wakaama)
 */
export function registrationPayload(
  links: readonly CoreLink[],
  formats: readonly ContentFormat[] = DATA_FORMATS,
): Uint8Array {
  const attributes = new Map([['rt', 'oma.lwm2m']]);
  if (formats.length > 0) attributes.set('ct', formats.join(' '));
  return encodeLinks([{ target: '/', attributes }, ...links]);
}

/**
 * Reads a Register: its queries and its body. Unknown queries are ignored.
 *
 * @throws SefleetError `LWM2M_BAD_REQUEST`
 */
export function parseRegistration(queries: readonly string[], payload: Uint8Array): RegistrationRequest {
  const values = readQueries(queries);
  const version = values.get('lwm2m') ?? '1.0';
  if (!/^1\.\d$/.test(version)) {
    throw lwm2mError('LWM2M_BAD_REQUEST', 'a version of LwM2M that is not supported', {
      context: { version },
    });
  }
  const endpoint = values.get('ep');
  if (endpoint !== undefined && (endpoint === '' || Buffer.byteLength(endpoint) > ENDPOINT_BYTES_MAX)) {
    throw lwm2mError('LWM2M_BAD_REQUEST', 'an endpoint name has 1 to 255 bytes');
  }
  const binding = readBinding(values);
  const smsNumber = values.get('sms');
  const objects = readObjects(payload);
  if (objects === undefined) throw lwm2mError('LWM2M_BAD_REQUEST', 'a registration lists its objects');
  return {
    endpoint,
    lifetimeSeconds: readLifetime(values) ?? LIFETIME_DEFAULT_SECONDS,
    version,
    binding: binding?.binding ?? 'U',
    queueMode: binding?.queueMode ?? values.has('Q'),
    ...(smsNumber === undefined ? {} : { smsNumber }),
    ...objects,
  };
}

/**
 * Reads an Update.
 *
 * @throws SefleetError `LWM2M_BAD_REQUEST`
 */
export function parseRegistrationUpdate(queries: readonly string[], payload: Uint8Array): RegistrationUpdate {
  const values = readQueries(queries);
  const lifetimeSeconds = readLifetime(values);
  const smsNumber = values.get('sms');
  return {
    ...(lifetimeSeconds === undefined ? {} : { lifetimeSeconds }),
    ...readBinding(values),
    ...(smsNumber === undefined ? {} : { smsNumber }),
    ...readObjects(payload),
  };
}

function readQueries(queries: readonly string[]): ReadonlyMap<string, string> {
  if (queries.length > QUERIES_MAX) throw lwm2mError('LWM2M_BAD_REQUEST', 'too many queries');
  const values = new Map<string, string>();
  for (const query of queries) {
    const at = query.indexOf('=');
    const name = at < 0 ? query : query.slice(0, at);
    if (values.has(name)) throw lwm2mError('LWM2M_BAD_REQUEST', `query '${name}' twice`);
    values.set(name, at < 0 ? '' : query.slice(at + 1));
  }
  return values;
}

function readLifetime(values: ReadonlyMap<string, string>): number | undefined {
  const text = values.get('lt');
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff) {
    throw lwm2mError('LWM2M_BAD_REQUEST', 'lt is a number of seconds of 32 bits');
  }
  return Number(text);
}

function readBinding(
  values: ReadonlyMap<string, string>,
): { readonly binding: string; readonly queueMode: boolean } | undefined {
  const text = values.get('b');
  if (text === undefined) return undefined;
  if (!/^[UTSNHMQ]{1,8}$/.test(text))
    throw lwm2mError('LWM2M_BAD_REQUEST', 'b has letters that no binding has');
  return { binding: text.replace('Q', '') || 'U', queueMode: text.includes('Q') || values.has('Q') };
}

function readObjects(
  payload: Uint8Array,
): Pick<RegistrationRequest, 'objects' | 'rootPath' | 'contentFormats'> | undefined {
  if (payload.length === 0) return undefined;
  const links = readLinks(payload);
  const root = links.find(({ attributes }) => attributes.get('rt') === 'oma.lwm2m');
  const rootPath = root?.target ?? '/';
  const ct = root?.attributes.get('ct');
  const objects: RegisteredObject[] = [];
  for (const link of links) {
    if (link === root) continue;
    const place = linkPath(link, rootPath);
    // A link that is no node, such as one to a plain CoAP resource, is none of ours (RFC 6690).
    if (place === undefined || place.path.depth === 0 || place.path.depth > 2) continue;
    const version = link.attributes.get('ver');
    objects.push({
      path: place.path,
      ...(typeof version === 'string' ? { version } : {}),
      ...(place.prefix === undefined ? {} : { prefix: place.prefix }),
    });
  }
  const contentFormats = typeof ct === 'string' ? ct.split(' ').map(Number).filter(Number.isInteger) : [];
  return { objects, rootPath, contentFormats };
}

function readLinks(payload: Uint8Array): readonly CoreLink[] {
  try {
    return decodeLinks(payload);
  } catch (error) {
    if (!isSefleetError(error, 'LWM2M_CONTENT_INVALID')) throw error;
    throw lwm2mError('LWM2M_BAD_REQUEST', 'the list of objects is malformed', { cause: error });
  }
}
