import { lwm2mError } from '../errors.ts';
import { nodeLink } from '../content/links.ts';
import type { CoreLink } from '../content/links.ts';
import { Lwm2mPath } from '../model/path.ts';
import { isMultiple } from '../model/value.ts';
import type { Requester } from './access-control.ts';
import { attributeTexts } from './attributes.ts';
import type { AttributeStore, NotificationAttributes } from './attributes.ts';
import type { Lwm2mObject, ObjectInstance, ObjectTree } from './object-tree.ts';
import { requireInstance } from './read.ts';

/** Levels below the addressed node that Discover lists when `depth` is not given (Core 1.2 §6.3.2). */
const DEPTH_DEFAULT = { object: 2, instance: 1, resource: 1 } as const;
/** Deepest that a request may ask for: object to resource instance. */
const DEPTH_MAX = 3;

/**
 * Discover (Core §6.3.2): the nodes at and below `path` with the attributes that `who` has set. `depth`
 * limits the levels below (LwM2M 1.2).
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`, `LWM2M_METHOD_NOT_ALLOWED`, `LWM2M_BAD_REQUEST`
 */
export function discover(
  tree: ObjectTree,
  path: Lwm2mPath,
  who: Requester,
  attributes: AttributeStore,
  depth?: number,
): readonly CoreLink[] {
  if (depth !== undefined && !(Number.isInteger(depth) && depth >= 0 && depth <= DEPTH_MAX)) {
    throw lwm2mError('LWM2M_BAD_REQUEST', 'depth is 0 to 3');
  }
  const { objectId, instanceId, resourceId } = path;
  if (objectId === undefined || path.depth === 4) {
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', `${path.toString()} cannot be discovered`);
  }
  if (who !== 'bootstrap' && (objectId === 0 || objectId === 21)) {
    throw lwm2mError('LWM2M_UNAUTHORIZED', 'keys are not shown to servers');
  }
  const links: CoreLink[] = [];
  const at = (place: Lwm2mPath): NotificationAttributes => attributes.at(who, place);
  if (instanceId === undefined) {
    listObject(tree.require(objectId), depth ?? DEPTH_DEFAULT.object, at, links);
  } else if (resourceId === undefined) {
    listInstance(requireInstance(tree, path), depth ?? DEPTH_DEFAULT.instance, at, links);
  } else {
    const instance = requireInstance(tree, path);
    if (!instance.has(resourceId)) throw lwm2mError('LWM2M_NOT_FOUND', `${path.toString()} does not exist`);
    // Core §6.3.2: on a resource, inherited attributes are shown too.
    const inherited = (place: Lwm2mPath): NotificationAttributes =>
      place.depth === 3 ? attributes.effective(who, place) : at(place);
    listResource(instance, resourceId, depth ?? DEPTH_DEFAULT.resource, inherited, links);
  }
  return links;
}

/**
 * What Bootstrap-Discover shows (Core §6.1.7.5): every instance, and for accounts the short server id and the
 * URI that tell them apart.
 *
 * @throws SefleetError `LWM2M_NOT_FOUND`
 */
export function discoverForBootstrap(tree: ObjectTree, path: Lwm2mPath): readonly CoreLink[] {
  if (path.depth > 1)
    throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'bootstrap discovers the root or an object');
  const links: CoreLink[] = [{ target: '/', attributes: new Map([['lwm2m', '1.1']]) }];
  const objects = path.objectId === undefined ? tree.sorted() : [tree.require(path.objectId)];
  for (const object of objects) {
    const place = new Lwm2mPath(object.id);
    const version = versionAttributes(object);
    if (version.size > 0 || object.instances.size === 0) links.push(nodeLink(place, version));
    for (const instance of object.sorted())
      links.push(nodeLink(place.child(instance.id), accountAttributes(instance)));
  }
  return links;
}

/** The object links of a registration (Core §6.2.1): no keys, an object alone when it has no instance. */
export function registrationLinks(tree: ObjectTree): readonly CoreLink[] {
  const links: CoreLink[] = [];
  for (const object of tree.sorted()) {
    if (object.id === 0 || object.id === 21) continue;
    const place = new Lwm2mPath(object.id);
    const version = versionAttributes(object);
    if (version.size > 0 || object.instances.size === 0) links.push(nodeLink(place, version));
    for (const instance of object.sorted()) links.push(nodeLink(place.child(instance.id)));
  }
  return links;
}

type AttributesAt = (path: Lwm2mPath) => NotificationAttributes;

function listObject(object: Lwm2mObject, depth: number, at: AttributesAt, links: CoreLink[]): void {
  const place = new Lwm2mPath(object.id);
  links.push(nodeLink(place, new Map([...versionAttributes(object), ...attributeTexts(at(place))])));
  if (depth === 0) return;
  for (const instance of object.sorted()) listInstance(instance, depth - 1, at, links);
}

function listInstance(instance: ObjectInstance, depth: number, at: AttributesAt, links: CoreLink[]): void {
  const place = new Lwm2mPath(instance.object.id, instance.id);
  links.push(nodeLink(place, attributeTexts(at(place))));
  if (depth === 0) return;
  for (const resourceId of instance.resourceIds()) listResource(instance, resourceId, depth - 1, at, links);
}

function listResource(
  instance: ObjectInstance,
  resourceId: number,
  depth: number,
  at: AttributesAt,
  links: CoreLink[],
): void {
  const place = new Lwm2mPath(instance.object.id, instance.id, resourceId);
  const value = instance.get(resourceId);
  const multiple = value !== undefined && isMultiple(value) ? value : undefined;
  const dim: readonly (readonly [string, string])[] =
    multiple === undefined ? [] : [['dim', String(multiple.size)]];
  links.push(nodeLink(place, new Map([...dim, ...attributeTexts(at(place))])));
  if (depth === 0 || multiple === undefined) return;
  for (const id of multiple.keys())
    links.push(nodeLink(place.child(id), attributeTexts(at(place.child(id)))));
}

/** Core §7.2: versions other than 1.0 are told. */
function versionAttributes(object: Lwm2mObject): ReadonlyMap<string, string | true> {
  const { version } = object.definition.model;
  return new Map(version === '1.0' ? [] : [['ver', version]]);
}

function accountAttributes(instance: ObjectInstance): ReadonlyMap<string, string | true> {
  const attributes = new Map<string, string>();
  const isSecurity = instance.object.id === 0;
  if (!isSecurity && instance.object.id !== 1) return attributes;
  const uri = isSecurity ? instance.get(0) : undefined;
  const ssid = instance.get(isSecurity ? 10 : 0);
  // Core §6.1.7.5: the bootstrap server's own account has no short id to show.
  const ownAccount = isSecurity && instance.get(1) === true;
  if (typeof ssid === 'number' && !ownAccount) attributes.set('ssid', String(ssid));
  if (typeof uri === 'string') attributes.set('uri', uri);
  return attributes;
}
