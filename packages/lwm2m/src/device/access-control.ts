import { lwm2mError } from '../errors.ts';
import { isMultiple } from '../model/value.ts';
import type { ObjectInstance, ObjectTree } from './object-tree.ts';

/** Who asks: the bootstrap server, or a server by its short server id. */
export type Requester = 'bootstrap' | number;

/** Bits of an access control list (Core appendix E.3, resource 2). */
export const ACCESS = { READ: 1, WRITE: 2, EXECUTE: 4, DELETE: 8, CREATE: 16 } as const;
export type Access = (typeof ACCESS)[keyof typeof ACCESS];

/** The instance id that stands for the object itself in rights to create. */
const ANY_INSTANCE = 65_535;
const OBJECT = { SECURITY: 0, SERVER: 1, ACCESS_CONTROL: 2, OSCORE: 21 } as const;
const ACL = { OBJECT_ID: 0, INSTANCE_ID: 1, LIST: 2, OWNER: 3 } as const;
const ALL_BUT_CREATE = ACCESS.READ | ACCESS.WRITE | ACCESS.EXECUTE | ACCESS.DELETE;

/**
 * True when `who` may do `access` to the instance (Core §8.2). Keys (objects 0 and 21) are for bootstrap
 * servers only.
 * With one server account, or on a device without object 2, everything else is allowed.
 */
export function isAllowed(
  tree: ObjectTree,
  who: Requester,
  access: Access,
  objectId: number,
  instanceId: number,
): boolean {
  if (who === 'bootstrap') return true;
  if (objectId === OBJECT.SECURITY || objectId === OBJECT.OSCORE) return false;
  const lists = tree.objects.get(OBJECT.ACCESS_CONTROL);
  if (lists === undefined || (tree.objects.get(OBJECT.SERVER)?.instances.size ?? 0) < 2) return true;
  if (objectId === OBJECT.ACCESS_CONTROL) return mayTouchList(tree, who, access, instanceId);
  return (rightsOf(tree, who, objectId, instanceId) & access) !== 0;
}

/** As {@link isAllowed}, throwing `LWM2M_UNAUTHORIZED`. */
export function assertAllowed(
  tree: ObjectTree,
  who: Requester,
  access: Access,
  objectId: number,
  instanceId: number,
): void {
  if (!isAllowed(tree, who, access, objectId, instanceId)) {
    throw lwm2mError('LWM2M_UNAUTHORIZED', 'access control refuses the operation', {
      context: { shortServerId: who, objectId, instanceId },
    });
  }
}

/** True when `who` may create instances of the object: only a list for the object itself grants it. */
export function mayCreate(tree: ObjectTree, who: Requester, objectId: number): boolean {
  if (objectId === OBJECT.ACCESS_CONTROL && who !== 'bootstrap') return false;
  return isAllowed(tree, who, ACCESS.CREATE, objectId, ANY_INSTANCE);
}

/** Makes the server that created an instance the owner of it (Core §8.2.2). */
export function own(tree: ObjectTree, who: Requester, objectId: number, instanceId: number): void {
  const lists = tree.objects.get(OBJECT.ACCESS_CONTROL);
  if (lists === undefined || who === 'bootstrap' || objectId === OBJECT.ACCESS_CONTROL) return;
  lists.add(lists.freeInstanceId(), [
    [ACL.OBJECT_ID, objectId],
    [ACL.INSTANCE_ID, instanceId],
    [ACL.LIST, new Map([[who, ALL_BUT_CREATE]])],
    [ACL.OWNER, who],
  ]);
}

/** Drops the lists of an instance that is gone. */
export function disown(tree: ObjectTree, objectId: number, instanceId: number): void {
  const list = findList(tree, objectId, instanceId);
  if (list !== undefined && objectId !== OBJECT.ACCESS_CONTROL) list.object.remove(list.id);
}

/** Lists are readable by all; only the owner changes them, and only bootstrap servers delete them. */
function mayTouchList(tree: ObjectTree, who: number, access: Access, instanceId: number): boolean {
  if (access === ACCESS.READ) return true;
  const list = tree.instance(OBJECT.ACCESS_CONTROL, instanceId);
  return access === ACCESS.WRITE && list?.get(ACL.OWNER) === who;
}

function rightsOf(tree: ObjectTree, who: number, objectId: number, instanceId: number): number {
  const list = findList(tree, objectId, instanceId);
  if (list === undefined) return 0;
  const rights = list.get(ACL.LIST);
  const entries = rights !== undefined && isMultiple(rights) ? rights : new Map<number, unknown>();
  const own = entries.get(who);
  if (typeof own === 'number') return own;
  if (list.get(ACL.OWNER) === who) return ALL_BUT_CREATE;
  const others = entries.get(0);
  return typeof others === 'number' ? others : 0;
}

function findList(tree: ObjectTree, objectId: number, instanceId: number): ObjectInstance | undefined {
  for (const list of tree.objects.get(OBJECT.ACCESS_CONTROL)?.instances.values() ?? []) {
    if (list.get(ACL.OBJECT_ID) === objectId && list.get(ACL.INSTANCE_ID) === instanceId) return list;
  }
  return undefined;
}
