import { formatCode } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import { Lwm2mPath } from '@sefleet/lwm2m';
import type { CoreLink, ModelRegistry } from '@sefleet/lwm2m';
import type { RegisteredDevice } from '@sefleet/lwm2m-coap';
import type { Timers } from '@sefleet/runtime';
import { serviceError } from '../errors.ts';
import { toSenmlJson } from './senml.ts';

/** A node below an object. */
interface TreeNode {
  readonly path: string;
  readonly attributes: Record<string, string>;
}

/** What is known of one object of a device, and why not more. */
export interface TreeObject {
  readonly objectId: number;
  readonly version: string;
  nodes: TreeNode[];
  discoverCode: string;
  readCode: string;
  senmlJson: string;
  error: string;
}

/** What {@link readDeviceTree} is to do. */
export interface TreeRequest {
  readonly device: RegisteredDevice;
  /** 1: objects; 2: instances, too; 3: resources, too. */
  readonly depth: 1 | 2 | 3;
  readonly values: boolean;
  /** Throws when the caller may not do that to an object. */
  readonly check: (operation: 'discover' | 'read', path: Lwm2mPath) => void;
  readonly models: ModelRegistry;
  readonly timers: Timers;
  /** Ends everything: the caller is gone. */
  readonly signal: AbortSignal;
}

/** Objects of one device that are asked. */
const OBJECTS_MAX = 128;
/** Bytes of all link lists and values of one answer. */
const BYTES_MAX = 1_048_576;
/** How long a device may take for its whole tree. */
const DEADLINE_MS = 60_000;

/**
 * A device's whole tree, one object after the other, because a device works on one request at a time. An
 * object that fails keeps its error and the next one is asked.
 */
export async function readDeviceTree(
  request: TreeRequest,
): Promise<{ readonly objects: TreeObject[]; readonly truncated: boolean }> {
  const late = new AbortController();
  const timer = request.timers.after(DEADLINE_MS, () => late.abort());
  const objects = registeredObjects(request.device);
  const shown = [...objects.values()].slice(0, OBJECTS_MAX);
  const walk = new TreeWalk(request, late.signal);
  try {
    for (const object of shown) await walk.visit(object);
  } finally {
    timer.cancel();
  }
  return { objects: shown, truncated: walk.truncated || objects.size > shown.length };
}

class TreeWalk {
  truncated = false;
  readonly #request: TreeRequest;
  readonly #late: AbortSignal;
  readonly #signal: AbortSignal;
  #bytesLeft = BYTES_MAX;

  constructor(request: TreeRequest, late: AbortSignal) {
    this.#request = request;
    this.#late = late;
    this.#signal = AbortSignal.any([request.signal, late]);
  }

  async visit(object: TreeObject): Promise<void> {
    const { depth, values, signal, check } = this.#request;
    const registered = object.nodes;
    object.nodes = [];
    const path = new Lwm2mPath(object.objectId);
    try {
      check('discover', path);
      if (depth > 1) object.nodes = registered;
      if (depth === 3) await this.#discover(object, path);
      if (values) await this.#read(object, path);
    } catch (error) {
      if (signal.aborted || (!isSefleetError(error) && !this.#late.aborted)) throw error;
      object.error = isSefleetError(error) && !this.#late.aborted ? error.code : 'LWM2M_TREE_BOUND';
      this.truncated ||= object.error === 'LWM2M_TREE_BOUND';
    }
  }

  async #discover(object: TreeObject, path: Lwm2mPath): Promise<void> {
    this.#checkBounds(0);
    const result = await this.#request.device.discover(path, { signal: this.#signal });
    object.discoverCode = formatCode(result.code);
    if (!result.success) return;
    this.#checkBounds(result.linkFormat.length);
    object.nodes = result.links.flatMap((link) => nodeOf(object.objectId, link));
  }

  async #read(object: TreeObject, path: Lwm2mPath): Promise<void> {
    const { check, device, models } = this.#request;
    check('read', path);
    this.#checkBounds(0);
    const result = await device.read(path, undefined, { signal: this.#signal });
    object.readCode = formatCode(result.code);
    const text = toSenmlJson(result.entries, models);
    this.#checkBounds(text.length);
    object.senmlJson = text;
  }

  #checkBounds(bytes: number): void {
    if (this.#late.aborted || bytes > this.#bytesLeft || this.#bytesLeft === 0) {
      this.#bytesLeft = 0;
      throw serviceError('LWM2M_TREE_BOUND', 'the tree is larger or takes longer than one call allows');
    }
    this.#bytesLeft -= bytes;
  }
}

/** Objects by id with their instances, as the device registered them. */
function registeredObjects({ registration }: RegisteredDevice): ReadonlyMap<number, TreeObject> {
  const objects = new Map<number, TreeObject>();
  const nodes = new Map<number, TreeNode[]>();
  for (const { path, version = '' } of registration.announcement.objects) {
    const { objectId } = path;
    if (objectId === undefined) continue;
    const below = nodes.get(objectId) ?? [];
    nodes.set(objectId, below);
    if (path.depth > 1) below.push({ path: path.toString(), attributes: {} });
    const known = objects.get(objectId);
    if (known !== undefined && version === '') continue;
    objects.set(objectId, {
      objectId,
      version,
      nodes: below,
      discoverCode: '',
      readCode: '',
      senmlJson: '',
      error: '',
    });
  }
  return objects;
}

/** A link's node below the object; an alternate path or a gateway's prefix before it is left out. */
function nodeOf(objectId: number, { target, attributes }: CoreLink): TreeNode[] {
  const path = Lwm2mPath.tryParse(/(?:\/\d{1,5}){1,4}$/.exec(target)?.[0] ?? '');
  if (path === undefined || path.objectId !== objectId || path.depth < 2) return [];
  const pairs = Array.from(attributes, ([name, value]) => [name, value === true ? '' : value] as const);
  return [{ path: path.toString(), attributes: Object.fromEntries(pairs) }];
}
