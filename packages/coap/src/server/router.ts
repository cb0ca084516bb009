import { uintOption } from '../codec/option.ts';
import { CODE, CONTENT_FORMAT, type CoapMethod, OPTION } from '../constants.ts';
import { coapError } from '../errors.ts';
import { formatLinkFormat, type Link, type LinkAttribute, linkMatches } from '../link-format/link-format.ts';
import type { CoapRequest, RequestHandler } from '../request.ts';
import type { CoapReply } from '../response.ts';

/** Answers a request to a route; `parameters` hold what stands in the place of `:name` and of a last `*`. */
export type RouteHandler = (
  request: CoapRequest,
  parameters: Readonly<Record<string, string>>,
) => CoapReply | Promise<CoapReply>;

export interface RouteOptions {
  /**
   * Attributes of the link in `/.well-known/core`, such as `{ name: 'rt', value: 'core.rd' }` or `{ name:
   * 'obs' }`.
   */
  readonly attributes?: readonly LinkAttribute[] | undefined;
  /** False leaves the route out of `/.well-known/core`; one with parameters is left out anyway. */
  readonly listed?: boolean | undefined;
}

/** Routes requests by path and method, and answers `/.well-known/core` (RFC 6690 §4). */
export interface CoapRouter {
  /**
   * Adds a route. A pattern is a path whose segments may be `:name`, which holds one segment, and whose last
   * may be `*`, which holds all that follow (none included). A literal segment wins over `:name`, that over
   * `*`.
   *
   * @throws SefleetError `COAP_ARGUMENT_INVALID` when the pattern already has a handler for the method.
   */
  on(method: CoapMethod, pattern: string, handler: RouteHandler, options?: RouteOptions): CoapRouter;
  /** 4.04 for a path without route, 4.05 for a method that its path does not have. */
  readonly handler: RequestHandler;
  /** What `/.well-known/core` lists. */
  links(): Link[];
}

/**
 * Makes a router without routes.
 *
 * @example
 * const router = createRouter();
 * router.on('GET', '/sensors/:name', (_request, { name }) => ({ code: CODE.CONTENT, payload: name }));
 * createCoapEndpoint({ channel, runtime, handler: router.handler });
 */
export function createRouter(): CoapRouter {
  return new Router();
}

interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | undefined;
  rest: Node | undefined;
  readonly handlers: Map<CoapMethod, { readonly handler: RouteHandler; readonly names: readonly string[] }>;
}

class Router implements CoapRouter {
  readonly #root = emptyNode();
  readonly #listed = new Map<string, LinkAttribute[]>();

  on(method: CoapMethod, pattern: string, handler: RouteHandler, options: RouteOptions = {}): this {
    const names: string[] = [];
    let node = this.#root;
    for (const segment of segmentsOf(pattern)) {
      if (segment === '*') {
        node = node.rest ??= emptyNode();
        names.push('*');
      } else if (segment.startsWith(':')) {
        node = node.parameter ??= emptyNode();
        names.push(segment.slice(1));
      } else {
        let next = node.literals.get(segment);
        if (next === undefined) node.literals.set(segment, (next = emptyNode()));
        node = next;
      }
    }
    if (node.handlers.has(method))
      throw coapError('COAP_ARGUMENT_INVALID', `${method} ${pattern} has a handler`);
    node.handlers.set(method, { handler, names });
    if (names.length === 0 && options.listed !== false) this.#list(pattern, options.attributes ?? []);
    return this;
  }

  readonly handler: RequestHandler = (request) => {
    const values: string[] = [];
    const node = match(this.#root, request.segments, 0, values);
    if (node === undefined) return this.#unrouted(request);
    const route = node.handlers.get(request.method);
    if (route === undefined) return { code: CODE.METHOD_NOT_ALLOWED };
    const parameters: Record<string, string> = {};
    for (const [i, name] of route.names.entries()) parameters[name] = values[i] ?? '';
    return route.handler(request, parameters);
  };

  links(): Link[] {
    return Array.from(this.#listed, ([target, attributes]) => ({ target, attributes }));
  }

  #list(pattern: string, attributes: readonly LinkAttribute[]): void {
    const listed = this.#listed.get(pattern);
    if (listed === undefined) this.#listed.set(pattern, [...attributes]);
    else listed.push(...attributes);
  }

  #unrouted(request: CoapRequest): CoapReply {
    if (request.path !== '/.well-known/core') return { code: CODE.NOT_FOUND };
    return request.method === 'GET' ? linksReply(this.links(), request) : { code: CODE.METHOD_NOT_ALLOWED };
  }
}

/**
 * The links of a server as the answer to a GET of `/.well-known/core`, filtered by its query (RFC 6690 §4.1).
 */
export function linksReply(links: readonly Link[], request: CoapRequest): CoapReply {
  const { accept } = request;
  if (accept !== undefined && accept !== CONTENT_FORMAT.LINK_FORMAT) return { code: CODE.NOT_ACCEPTABLE };
  const found = links.filter((link) => request.query.every((query) => linkMatches(link, query)));
  return {
    code: CODE.CONTENT,
    payload: formatLinkFormat(found),
    options: [uintOption(OPTION.CONTENT_FORMAT, CONTENT_FORMAT.LINK_FORMAT)],
  };
}

function match(node: Node, segments: readonly string[], at: number, values: string[]): Node | undefined {
  const segment = segments[at];
  if (segment === undefined) {
    if (node.handlers.size > 0) return node;
    if (node.rest !== undefined) values.push('');
    return node.rest;
  }
  const literal = node.literals.get(segment);
  const found = literal === undefined ? undefined : match(literal, segments, at + 1, values);
  if (found !== undefined) return found;
  if (node.parameter !== undefined) {
    const depth = values.push(segment);
    const below = match(node.parameter, segments, at + 1, values);
    if (below !== undefined) return below;
    values.length = depth - 1;
  }
  if (node.rest !== undefined) values.push(segments.slice(at).join('/'));
  return node.rest;
}

function segmentsOf(pattern: string): string[] {
  const path = pattern.startsWith('/') ? pattern.slice(1) : pattern;
  return path === '' ? [] : path.split('/');
}

function emptyNode(): Node {
  return { literals: new Map(), parameter: undefined, rest: undefined, handlers: new Map() };
}
