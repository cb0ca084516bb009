import { CODE } from '@sefleet/coap';
import type { CoapReply, CoapRequest } from '@sefleet/coap';
import {
  CONTENT_FORMAT,
  createInstance,
  decodeContent,
  deleteInstance,
  discover,
  encodeLinks,
  executeResource,
  Lwm2mPath,
  lwm2mError,
  observeAttributes,
  parseAttributeQueries,
  parseExecuteArguments,
  readEntries,
  writeComposite,
  writeEntries,
} from '@sefleet/lwm2m';
import type { AttributeStore, ContentFormat, Lwm2mEntry, ObjectTree, Requester } from '@sefleet/lwm2m';
import type { Runtime } from '@sefleet/runtime';
import { readObserved, observedReply } from './observations.ts';
import type { Observations, Observed } from './observations.ts';
import { answerFormat, contentReply, requestFormat } from './reply.ts';

/** What answering needs of the session that a request came in on. */
export interface RequestContext {
  readonly tree: ObjectTree;
  readonly runtime: Runtime;
  readonly attributes: AttributeStore;
  readonly shortServerId: number;
  readonly preferredFormat: ContentFormat;
  readonly endDevices: ReadonlyMap<string, ObjectTree> | undefined;
  readonly observations: Observations;
  /** Executes of Server resources that the client itself carries out; true when it has. */
  serverCommand(path: Lwm2mPath): boolean;
}

/** Where a request goes: the device, or one behind the gateway. */
interface Target {
  readonly tree: ObjectTree;
  readonly path: Lwm2mPath;
  readonly who: number;
  readonly context: RequestContext;
}

/**
 * Answers one request of a server (Core §6.3, §6.4; the mapping to CoAP is that of the Transport bindings
 * §6.4.3).
 *
 * @throws SefleetError of the data model; the caller makes the answer of it
 */
export function answerRequest(context: RequestContext, request: CoapRequest): CoapReply | Promise<CoapReply> {
  const target = resolveTarget(context, request.segments);
  switch (request.method) {
    case 'GET':
      return answerGet(target, request);
    case 'PUT':
      return answerPut(target, request);
    case 'POST':
      return answerPost(target, request);
    case 'DELETE':
      deleteInstance(target.tree, target.path, target.who);
      context.attributes.forget(target.path);
      return { code: CODE.DELETED };
    case 'FETCH':
      return answerFetch(target, request);
    case 'iPATCH':
      return settled(writeComposite(target.tree, decode(target, request), target.who), CODE.CHANGED);
    default:
      throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'no operation has this method');
  }
}

function resolveTarget(context: RequestContext, segments: readonly string[]): Target {
  const { tree, shortServerId: who } = context;
  const path = Lwm2mPath.fromSegments(segments);
  if (path !== undefined) return { tree, path, who, context };
  const [prefix = '', ...rest] = segments;
  const endDevice = context.endDevices?.get(prefix);
  const below = Lwm2mPath.fromSegments(rest);
  if (endDevice === undefined || below === undefined) throw lwm2mError('LWM2M_NOT_FOUND', 'no such node');
  return { tree: endDevice, path: below, who, context };
}

function answerGet(target: Target, request: CoapRequest): CoapReply {
  const { tree, path, who, context } = target;
  if (request.accept === CONTENT_FORMAT.LINK) {
    const depth = request.queryValue('depth');
    const links = discover(
      tree,
      path,
      who,
      context.attributes,
      depth === undefined ? undefined : Number(depth),
    );
    return { code: CODE.CONTENT, contentFormat: CONTENT_FORMAT.LINK, payload: encodeLinks(links) };
  }
  const format = answerFormat(request.accept, path, tree, context.preferredFormat);
  if (request.observe === undefined) {
    return contentReply(format, path, readEntries(tree, path, who), tree.models);
  }
  return startObservation(target, request, {
    tree,
    paths: [path],
    base: path,
    composite: false,
    format,
    attributes: observeAttributes(request.query),
  });
}

function answerFetch(target: Target, request: CoapRequest): CoapReply {
  const { tree, context } = target;
  const paths = decode(target, request).map((entry) => entry.path);
  if (paths.length === 0) throw lwm2mError('LWM2M_BAD_REQUEST', 'a composite read names paths');
  const observed: Observed = {
    tree,
    paths,
    base: Lwm2mPath.ROOT,
    composite: true,
    format: compositeFormat(request.accept ?? request.contentFormat ?? context.preferredFormat),
    attributes: observeAttributes(request.query),
  };
  if (request.observe !== undefined) return startObservation(target, request, observed);
  return contentReply(observed.format, Lwm2mPath.ROOT, readObserved(observed, target.who), tree.models);
}

/** Composite answers need a format with paths; an ETCH format is for requests, its answer is plain SenML. */
function compositeFormat(accept: number): ContentFormat {
  switch (accept) {
    case CONTENT_FORMAT.SENML_ETCH_CBOR:
    case CONTENT_FORMAT.SENML_CBOR:
      return CONTENT_FORMAT.SENML_CBOR;
    case CONTENT_FORMAT.SENML_ETCH_JSON:
    case CONTENT_FORMAT.SENML_JSON:
      return CONTENT_FORMAT.SENML_JSON;
    case CONTENT_FORMAT.LWM2M_CBOR:
      return CONTENT_FORMAT.LWM2M_CBOR;
    default:
      throw lwm2mError('LWM2M_NOT_ACCEPTABLE', 'the format cannot carry several paths');
  }
}

function startObservation({ who, context }: Target, request: CoapRequest, observed: Observed): CoapReply {
  // The answer comes first: a path that cannot be read is not observed (Core §6.4.1).
  const reply = observedReply(observed, who);
  const observation = reply.code === CODE.CONTENT ? request.observe?.accept() : undefined;
  if (observation !== undefined) context.observations.add(observed, observation);
  return reply;
}

function answerPut(target: Target, request: CoapRequest): CoapReply | Promise<CoapReply> {
  const { tree, path, who, context } = target;
  if (request.payload.length === 0 && request.contentFormat === undefined && request.query.length > 0) {
    return writeAttributes(target, request);
  }
  if (path.depth < 2) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'objects are not written');
  const entries = decodeContent(requestFormat(request.contentFormat), path, request.payload, tree.models, {
    nowSeconds: context.runtime.clock.wallMs() / 1000,
  });
  return settled(writeEntries(tree, path, entries, 'replace', who), CODE.CHANGED);
}

function writeAttributes({ tree, path, who, context }: Target, request: CoapRequest): CoapReply {
  const change = parseAttributeQueries(request.query);
  assertExists(tree, path, who);
  const type = path.depth < 3 ? undefined : tree.models.resource(path)?.type;
  context.attributes.write(who, path, change, type);
  context.observations.attributesChanged(path);
  return { code: CODE.CHANGED };
}

function assertExists(tree: ObjectTree, path: Lwm2mPath, who: Requester): void {
  const { objectId, instanceId, resourceId } = path;
  if (objectId === undefined) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'the root takes no attributes');
  if (objectId === 0 || objectId === 21) throw lwm2mError('LWM2M_UNAUTHORIZED', 'keys take no attributes');
  tree.require(objectId);
  if (instanceId === undefined) return;
  const instance = tree.instance(objectId, instanceId);
  const found = instance !== undefined && (resourceId === undefined || instance.has(resourceId));
  if (!found) throw lwm2mError('LWM2M_NOT_FOUND', 'no such node');
  // Core §6.3.4: attributes on what cannot be read would never notify.
  if (path.depth >= 3 && instance.model(resourceId ?? 0)?.operations.read === false) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `not readable for ${who}`);
  }
}

function answerPost(target: Target, request: CoapRequest): CoapReply | Promise<CoapReply> {
  const { tree, path, who, context } = target;
  if (path.depth === 0) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'nothing is executed at the root');
  if (path.depth === 1) return answerCreate(target, request);
  const executes = path.depth === 3 && isExecute(target, request);
  if (!executes)
    return settled(writeEntries(tree, path, decode(target, request), 'update', who), CODE.CHANGED);
  const args = parseExecuteArguments(Buffer.from(request.payload).toString('utf8'));
  if (context.serverCommand(path)) return { code: CODE.CHANGED };
  const done = executeResource(tree, path, args, who);
  return settled(done instanceof Promise ? done : undefined, CODE.CHANGED);
}

/** POST to a resource is Execute, unless it carries values for a multiple resource (Core 1.1 §6.3.3). */
function isExecute({ tree, path }: Target, request: CoapRequest): boolean {
  const model = tree.models.resource(path);
  if (model?.operations.execute === true || request.payload.length === 0) return true;
  return request.contentFormat === undefined || request.contentFormat === CONTENT_FORMAT.TEXT;
}

function answerCreate(target: Target, request: CoapRequest): CoapReply | Promise<CoapReply> {
  const { tree, path, who } = target;
  const objectId = path.objectId ?? 0;
  const object = tree.require(objectId);
  const newInstanceId = object.freeInstanceId();
  const entries =
    request.payload.length === 0
      ? []
      : decodeContent(requestFormat(request.contentFormat), path, request.payload, tree.models, {
          newInstanceId,
        });
  const { instance, done } = createInstance(tree, objectId, entries, who);
  const chosen = entries.length === 0 || instance.id === newInstanceId;
  // The location is told when the device has chosen the id (Transport bindings §6.4.3); else it is known.
  const locationPath = chosen ? { locationPath: `/${objectId}/${instance.id}` } : {};
  return settled(done, CODE.CREATED, locationPath);
}

function decode({ tree, path, context }: Target, request: CoapRequest): readonly Lwm2mEntry[] {
  return decodeContent(requestFormat(request.contentFormat), path, request.payload, tree.models, {
    nowSeconds: context.runtime.clock.wallMs() / 1000,
  });
}

function settled(
  done: Promise<void> | undefined,
  code: number,
  more: Partial<CoapReply> = {},
): CoapReply | Promise<CoapReply> {
  const reply = { code, ...more };
  return done === undefined ? reply : done.then(() => reply);
}
