import { CODE } from '@sefleet/coap';
import type { CoapReply, CoapRequest } from '@sefleet/coap';
import {
  bootstrapDelete,
  bootstrapFault,
  bootstrapWrite,
  CONTENT_FORMAT,
  decodeContent,
  discoverForBootstrap,
  encodeLinks,
  isContentFormat,
  lwm2mError,
  Lwm2mPath,
  OBJECT_ID,
  readEntries,
  snapshotTree,
} from '@sefleet/lwm2m';
import type { Lwm2mEntry, SecurityAccount } from '@sefleet/lwm2m';
import type { Timer } from '@sefleet/runtime';
import { clientError } from './errors.ts';
import { answerFormat, contentReply, errorReply, isRefusal, requestFormat } from './reply.ts';
import { ServerLink } from './server-link.ts';
import type { LinkOwner } from './server-link.ts';

/** The server behind a bootstrap has no short id; events show this one. */
const NO_SHORT_ID = 0;

/** One bootstrap (Core §6.1): asks for it, takes what the bootstrap server writes, checks it at Finish. */
export class BootstrapSession {
  readonly #owner: LinkOwner;
  readonly #account: SecurityAccount;
  readonly #link: ServerLink;
  readonly #restore: () => void;
  readonly #outcome = Promise.withResolvers<void>();
  #timer: Timer | undefined;
  #over = false;

  constructor(owner: LinkOwner, account: SecurityAccount) {
    this.#owner = owner;
    this.#account = account;
    this.#restore = snapshotTree(owner.tree);
    this.#link = new ServerLink(owner, NO_SHORT_ID, {
      handle: (request) => this.#handle(request),
      lost: () =>
        this.#end(clientError('LWM2M_BOOTSTRAP_TIMEOUT', 'the connection broke during the bootstrap')),
    });
  }

  /**
   * Resolves when the bootstrap server has finished and the accounts make sense; else the tree is as before.
   *
   * @throws SefleetError `LWM2M_BOOTSTRAP_REFUSED`, `LWM2M_BOOTSTRAP_TIMEOUT`, and what the transport throws
   */
  async run(): Promise<void> {
    // A settled outcome without listener would be an unhandled rejection while the connection is still
    // opening.
    this.#outcome.promise.catch(() => undefined);
    try {
      await this.#link.open(this.#account);
      this.#armTimeout();
      const { settings } = this.#owner;
      if (!(settings.bootstrapPack && (await this.#pack()))) await this.#ask();
      await this.#outcome.promise;
    } catch (error) {
      this.#end(error);
      await this.#link.close();
      throw error;
    }
  }

  /** Ends it from outside. */
  async abort(): Promise<void> {
    this.#end(clientError('LWM2M_CLIENT_STOPPED', 'the client was stopped'));
    await this.#link.close();
  }

  async #ask(): Promise<void> {
    const { endpointName, settings } = this.#owner;
    const response = await this.#link.request({
      method: 'POST',
      path: ['bs'],
      query: [
        `ep=${endpointName}`,
        ...(settings.version === '1.0' ? [] : [`pct=${settings.bootstrapFormat}`]),
      ],
    });
    if (response.code !== CODE.CHANGED) throw refused(response.code);
    if (!this.#over) this.#armTimeout();
  }

  /** Bootstrap-Pack-Request (Core 1.2 §6.1.7.8); false when the server has no packs. */
  async #pack(): Promise<boolean> {
    const { endpointName, tree, settings } = this.#owner;
    const response = await this.#link.request({
      method: 'GET',
      path: ['bspack'],
      query: [`ep=${endpointName}`],
      accept: settings.bootstrapFormat,
    });
    if (response.code !== CODE.CONTENT) return false;
    const entries = decodeContent(
      requestFormat(response.contentFormat),
      Lwm2mPath.ROOT,
      response.payload,
      tree.models,
    );
    bootstrapDelete(tree, new Lwm2mPath(OBJECT_ID.SERVER));
    bootstrapDelete(tree, new Lwm2mPath(OBJECT_ID.SECURITY));
    for (const [objectId, group] of byObject(entries))
      await bootstrapWrite(tree, new Lwm2mPath(objectId), group);
    const fault = bootstrapFault(tree);
    if (fault !== undefined) throw clientError('LWM2M_BOOTSTRAP_REFUSED', fault);
    this.#end(undefined);
    return true;
  }

  async #handle(request: CoapRequest): Promise<CoapReply> {
    if (this.#over) return { code: CODE.METHOD_NOT_ALLOWED };
    this.#armTimeout();
    try {
      return await this.#answer(request);
    } catch (error) {
      if (!isRefusal(error)) this.#owner.events.handlerFailed?.(this.#owner.endpointName, error);
      return errorReply(error);
    }
  }

  async #answer(request: CoapRequest): Promise<CoapReply> {
    const { tree } = this.#owner;
    if (request.method === 'POST' && request.path === '/bs') return this.#finish();
    const path = Lwm2mPath.fromSegments(request.segments);
    if (path === undefined) throw lwm2mError('LWM2M_NOT_FOUND', 'no such node');
    switch (request.method) {
      case 'PUT': {
        const format = requestFormat(request.contentFormat);
        await bootstrapWrite(tree, path, decodeContent(format, path, request.payload, tree.models));
        return { code: CODE.CHANGED };
      }
      case 'DELETE':
        bootstrapDelete(tree, path);
        return { code: CODE.DELETED };
      case 'GET':
        return this.#read(path, request);
      default:
        throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'no bootstrap operation has this method');
    }
  }

  #read(path: Lwm2mPath, request: CoapRequest): CoapReply {
    const { tree } = this.#owner;
    if (request.accept === CONTENT_FORMAT.LINK) {
      const payload = encodeLinks(discoverForBootstrap(tree, path));
      return { code: CODE.CONTENT, contentFormat: CONTENT_FORMAT.LINK, payload };
    }
    // Core §6.1.7.4: accounts and access control may be read, keys may not.
    if (path.objectId !== OBJECT_ID.SERVER && path.objectId !== OBJECT_ID.ACCESS_CONTROL) {
      throw lwm2mError('LWM2M_METHOD_NOT_ALLOWED', 'only objects 1 and 2 are read in a bootstrap');
    }
    const { bootstrapFormat } = this.#owner.settings;
    const preferred = isContentFormat(bootstrapFormat) ? bootstrapFormat : CONTENT_FORMAT.TLV;
    const format = answerFormat(request.accept, path, tree, preferred);
    return contentReply(format, path, readEntries(tree, path, 'bootstrap'), tree.models);
  }

  /** Core §6.1.7.7: 4.06 when what was written is inconsistent. */
  #finish(): CoapReply {
    const fault = bootstrapFault(this.#owner.tree);
    if (fault === undefined) {
      this.#end(undefined);
      return { code: CODE.CHANGED };
    }
    this.#end(clientError('LWM2M_BOOTSTRAP_REFUSED', fault));
    return { code: CODE.NOT_ACCEPTABLE };
  }

  #armTimeout(): void {
    this.#timer?.cancel();
    const { runtime, settings } = this.#owner;
    this.#timer = runtime.timers.after(settings.bootstrapTimeoutMs, () =>
      this.#end(clientError('LWM2M_BOOTSTRAP_TIMEOUT', 'the bootstrap server went silent')),
    );
  }

  #end(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    if (error === undefined) {
      this.#outcome.resolve();
      const { runtime, settings } = this.#owner;
      // The answer to Finish may be lost; its repetition is answered while the connection lingers.
      runtime.timers.after(settings.bootstrapLingerMs, () => void this.#link.close());
    } else {
      this.#restore();
      this.#outcome.reject(error);
    }
  }
}

function byObject(entries: readonly Lwm2mEntry[]): ReadonlyMap<number, readonly Lwm2mEntry[]> {
  const groups = new Map<number, Lwm2mEntry[]>();
  for (const entry of entries) {
    const { objectId } = entry.path;
    if (objectId === undefined) continue;
    const group = groups.get(objectId);
    if (group === undefined) groups.set(objectId, [entry]);
    else group.push(entry);
  }
  return groups;
}

function refused(code: number): Error {
  return clientError('LWM2M_BOOTSTRAP_REFUSED', 'the bootstrap server refuses the device', {
    context: { code },
  });
}
