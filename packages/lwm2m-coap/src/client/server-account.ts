import { toHex } from '@sefleet/bytes';
import type { CoapRequestInit } from '@sefleet/coap';
import { isSefleetError } from '@sefleet/errors';
import {
  ACCESS,
  CONTENT_FORMAT,
  isAllowed,
  OBJECT_ID,
  registrationLinks,
  registrationPayload,
  registrationQueries,
  SECURITY_RESOURCE,
  SERVER_RESOURCE,
  serverAccounts,
} from '@sefleet/lwm2m';
import type {
  Lwm2mPath,
  NotificationAttributes,
  ObjectTree,
  SecurityAccount,
  ServerAccount,
} from '@sefleet/lwm2m';
import type { Lwm2mClientSettings } from './settings.ts';

/** A server to register with: how to reach it and how to register. */
export interface Account {
  readonly security: SecurityAccount;
  readonly server: ServerAccount;
}

/** The account with that short server id as it stands now. */
export function accountOf(tree: ObjectTree, shortServerId: number): Account | undefined {
  return serverAccounts(tree).find(({ server }) => server.shortServerId === shortServerId);
}

/** Everything of an account that makes a connection, as text: the same text, the same connection. */
export function accountPrint(tree: ObjectTree, { security }: Account): string {
  const instance = tree.instance(OBJECT_ID.SECURITY, security.instanceId);
  const values = CONNECTION_RESOURCES.map((id) => instance?.get(id));
  return JSON.stringify(values.map((value) => (value instanceof Uint8Array ? toHex(value) : value)));
}

const CONNECTION_RESOURCES = [
  SECURITY_RESOURCE.SERVER_URI,
  SECURITY_RESOURCE.SECURITY_MODE,
  SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY,
  SECURITY_RESOURCE.SERVER_PUBLIC_KEY,
  SECURITY_RESOURCE.SECRET_KEY,
  SECURITY_RESOURCE.SNI,
  SECURITY_RESOURCE.CERTIFICATE_USAGE,
];

/** True when the server would have to be told of the change. */
export function registersAlike(a: ServerAccount, b: ServerAccount): boolean {
  return a.lifetimeSeconds === b.lifetimeSeconds && a.binding === b.binding && a.queueMode === b.queueMode;
}

/** A Register (Core §6.2.1). */
export function registerRequest(
  endpoint: string,
  tree: ObjectTree,
  server: ServerAccount,
  settings: Lwm2mClientSettings,
): CoapRequestInit {
  const query = registrationQueries({ ...server, endpoint, version: settings.version });
  return { method: 'POST', path: ['rd'], query, ...announcement(tree, settings) };
}

/** What an Update tells: what has changed of the account, and the objects of `tree` when they have. */
export function updateContent(
  known: ServerAccount | undefined,
  now: ServerAccount,
  settings: Lwm2mClientSettings,
  tree: ObjectTree | undefined,
): Pick<CoapRequestInit, 'query' | 'contentFormat' | 'payload'> {
  const query = updateQueries(known, now, settings.version);
  return tree === undefined ? { query } : { query, ...announcement(tree, settings) };
}

/** Queries of an Update: only what differs from what the server knows (Core §6.2.2). */
function updateQueries(known: ServerAccount | undefined, now: ServerAccount, version: string): string[] {
  const queries: string[] = [];
  if (known?.lifetimeSeconds !== now.lifetimeSeconds) queries.push(`lt=${now.lifetimeSeconds}`);
  if (known !== undefined && (known.binding !== now.binding || known.queueMode !== now.queueMode)) {
    const all = registrationQueries({ ...now, endpoint: undefined, version });
    queries.push(...all.filter((query) => query.startsWith('b=') || query === 'Q'));
  }
  return queries;
}

/** What a Register, or an Update after a change, carries: the device's objects. */
function announcement(
  tree: ObjectTree,
  { announcedFormats }: Lwm2mClientSettings,
): Pick<CoapRequestInit, 'contentFormat' | 'payload'> {
  const payload = registrationPayload(registrationLinks(tree), announcedFormats);
  return { contentFormat: CONTENT_FORMAT.LINK, payload };
}

/** pmin and pmax of observations that set none (resources 2 and 3 of Server). */
export function notificationDefaults({ pminSeconds, pmaxSeconds }: ServerAccount): NotificationAttributes {
  return {
    ...(pminSeconds === undefined ? {} : { pmin: pminSeconds }),
    ...(pmaxSeconds === undefined ? {} : { pmax: pmaxSeconds }),
  };
}

/** Executable resources of the Server object that the client itself carries out (Core appendix E.2). */
export type ServerCommand = 'disable' | 'update' | 'bootstrap';

const COMMANDS: ReadonlyMap<number, ServerCommand> = new Map([
  [SERVER_RESOURCE.DISABLE, 'disable'],
  [SERVER_RESOURCE.UPDATE_TRIGGER, 'update'],
  [SERVER_RESOURCE.BOOTSTRAP_TRIGGER, 'bootstrap'],
]);

/** The command that an Execute of `path` by `who` stands for; undefined when it is none or not allowed. */
export function serverCommandAt(tree: ObjectTree, path: Lwm2mPath, who: number): ServerCommand | undefined {
  const { objectId, instanceId = 0, resourceId = -1 } = path;
  if (objectId !== OBJECT_ID.SERVER || tree.instance(objectId, instanceId) === undefined) return undefined;
  return isAllowed(tree, who, ACCESS.EXECUTE, objectId, instanceId) ? COMMANDS.get(resourceId) : undefined;
}

/** Resource 11 of the account: the TLS alert that ended the last attempt to connect. */
export function noteAlert(tree: ObjectTree, { instanceId }: ServerAccount, error: unknown): void {
  const alert = isSefleetError(error) ? error.context['alert'] : undefined;
  if (typeof alert !== 'number') return;
  tree.instance(OBJECT_ID.SERVER, instanceId)?.set(SERVER_RESOURCE.TLS_ALERT_CODE, alert);
}
