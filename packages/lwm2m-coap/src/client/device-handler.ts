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
  snapshotTree,
  writeComposite,
  writeEntries,
} from '@sefleet/lwm2m';
import type { AttributeStore, ContentFormat, Lwm2mEntry, ObjectTree, Requester } from '@sefleet/lwm2m';
import type { Runtime } from '@sefleet/runtime';
import type { Observations } from './observations.ts';
import { compositeReply, observedReply } from './observed.ts';
import type { Observed, ObservedPlace } from './observed.ts';
import { answerFormat, requestFormat } from './reply.ts';

/** What answering needs of the session that a request came in on. */
export interface RequestContext {
  readonly tree: ObjectTree;
  readonly runtime: Runtime;
  /** What servers have set on the nodes of a device. */
  attributesOf(tree: ObjectTree): AttributeStore;
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
  /** Of the end device, if it is one. */
  readonly prefix: string | undefined;
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
      context.attributesOf(target.tree).forget(target.path);
      return { code: CODE.DELETED };
    case 'FETCH':
      return answerFetch(target, request);
    case 'iPATCH':
      return settled(writeAcross(target, decode(target, request)), CODE.CHANGED);
    default:
      throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'no operation has this method');
  }
}

function resolveTarget(context: RequestContext, segments: readonly string[]): Target {
  const { tree, shortServerId: who } = context;
  const path = Lwm2mPath.fromSegments(segments);
  if (path !== undefined) return { tree, path, prefix: undefined, who, context };
  const [prefix = '', ...rest] = segments;
  const endDevice = context.endDevices?.get(prefix);
  const below = Lwm2mPath.fromSegments(rest);
  if (endDevice === undefined || below === undefined) throw lwm2mError('LWM2M_NOT_FOUND', 'no such node');
  return { tree: endDevice, path: below, prefix, who, context };
}

function answerGet(target: Target, request: CoapRequest): CoapReply {
  const { tree, path, prefix, who, context } = target;
  if (request.accept === CONTENT_FORMAT.LINK) {
    const depth = request.queryValue('depth');
    const links = discover(
      tree,
      path,
      who,
      context.attributesOf(tree),
      depth === undefined ? undefined : Number(depth),
    );
    return { code: CODE.CONTENT, contentFormat: CONTENT_FORMAT.LINK, payload: encodeLinks(links) };
  }
  const format = answerFormat(request.accept, path, tree, context.preferredFormat);
  const observed: Observed = {
    places: [{ tree, path, prefix }],
    base: path,
    composite: false,
    format,
    attributes: observeAttributes(request.query),
  };
  return request.observe === undefined
    ? observedReply(observed, who)
    : startObservation(target, request, observed);
}

function answerFetch(target: Target, request: CoapRequest): CoapReply {
  const { context } = target;
  const places = decode(target, request).flatMap((entry) => placeOf(target, entry) ?? []);
  if (places.length === 0) throw lwm2mError('LWM2M_NOT_FOUND', 'a composite read names what there is');
  const observed: Observed = {
    places,
    base: Lwm2mPath.ROOT,
    composite: true,
    format: compositeFormat(request.accept ?? request.contentFormat ?? context.preferredFormat),
    attributes: observeAttributes(request.query),
  };
  if (request.observe !== undefined) return startObservation(target, request, observed);
  return compositeReply(observed, target.who);
}

/** The place that an entry of a composite names; undefined behind a prefix that nobody has. */
function placeOf({ tree, prefix, context }: Target, entry: Lwm2mEntry): ObservedPlace | undefined {
  if (entry.prefix === undefined) return { tree, path: entry.path, prefix };
  const endDevice = context.endDevices?.get(entry.prefix);
  return endDevice === undefined ? undefined : { tree: endDevice, path: entry.path, prefix: entry.prefix };
}

/** Write-Composite over the gateway and the devices behind it: all or nothing, as on one device. */
function writeAcross(target: Target, entries: readonly Lwm2mEntry[]): Promise<void> | undefined {
  const groups = Map.groupBy(entries, ({ prefix }) => prefix);
  if (groups.size <= 1 && groups.has(undefined)) return writeComposite(target.tree, entries, target.who);
  const parts = [...groups.values()].map((group) => {
    const [first] = group;
    const place = first === undefined ? undefined : placeOf(target, first);
    if (place === undefined) throw lwm2mError('LWM2M_NOT_FOUND', 'no such end device');
    return { tree: place.tree, group };
  });
  const restores = parts.map(({ tree }) => snapshotTree(tree));
  const undo = (error: unknown): never => {
    for (const restore of restores) restore();
    throw error;
  };
  try {
    const pending = parts.flatMap(({ tree, group }) => writeComposite(tree, group, target.who) ?? []);
    return pending.length === 0 ? undefined : Promise.all(pending).then(() => undefined, undo);
  } catch (error) {
    return undo(error);
  }
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
  const { tree, path, who } = target;
  if (request.payload.length === 0 && request.contentFormat === undefined && request.query.length > 0) {
    return writeAttributes(target, request);
  }
  if (path.depth < 2) throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'objects are not written');
  return settled(writeEntries(tree, path, decode(target, request), 'replace', who), CODE.CHANGED);
}

function writeAttributes({ tree, path, who, context }: Target, request: CoapRequest): CoapReply {
  const change = parseAttributeQueries(request.query);
  assertExists(tree, path, who);
  const type = path.depth < 3 ? undefined : tree.models.resource(path)?.type;
  context.attributesOf(tree).write(who, path, change, type);
  context.observations.attributesChanged(tree, path);
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
          prefix: target.prefix,
        });
  const { instance, done } = createInstance(tree, objectId, entries, who);
  const chosen = entries.length === 0 || instance.id === newInstanceId;
  // The location is told when the device has chosen the id (Transport bindings §6.4.3); else it is known.
  const locationPath = chosen ? { locationPath: `/${objectId}/${instance.id}` } : {};
  return settled(done, CODE.CREATED, locationPath);
}

function decode({ tree, path, prefix, context }: Target, request: CoapRequest): readonly Lwm2mEntry[] {
  return decodeContent(requestFormat(request.contentFormat), path, request.payload, tree.models, {
    nowSeconds: context.runtime.clock.wallMs() / 1000,
    prefix,
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
