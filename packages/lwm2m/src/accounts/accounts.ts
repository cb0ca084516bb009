import type { ObjectInstance, ObjectTree } from '../device/object-tree.ts';
import type { ResourceValue } from '../model/value.ts';

/** Objects of the enabler that the client itself acts on. */
export const OBJECT_ID = {
  SECURITY: 0,
  SERVER: 1,
  ACCESS_CONTROL: 2,
  DEVICE: 3,
  FIRMWARE: 5,
  OSCORE: 21,
} as const;

/** Resources of Security, object 0 (Core appendix E.1). */
export const SECURITY_RESOURCE = {
  SERVER_URI: 0,
  BOOTSTRAP_SERVER: 1,
  SECURITY_MODE: 2,
  PUBLIC_KEY_OR_IDENTITY: 3,
  SERVER_PUBLIC_KEY: 4,
  SECRET_KEY: 5,
  SHORT_SERVER_ID: 10,
  CLIENT_HOLD_OFF_TIME: 11,
  BOOTSTRAP_ACCOUNT_TIMEOUT: 12,
  MATCHING_TYPE: 13,
  SNI: 14,
  CERTIFICATE_USAGE: 15,
} as const;

/** Resources of Server, object 1 (Core appendix E.2). */
export const SERVER_RESOURCE = {
  SHORT_SERVER_ID: 0,
  LIFETIME: 1,
  DEFAULT_PMIN: 2,
  DEFAULT_PMAX: 3,
  DISABLE: 4,
  DISABLE_TIMEOUT: 5,
  STORE_NOTIFICATIONS: 6,
  BINDING: 7,
  UPDATE_TRIGGER: 8,
  BOOTSTRAP_TRIGGER: 9,
  TLS_ALERT_CODE: 11,
  LAST_BOOTSTRAPPED: 12,
  PRIORITY_ORDER: 13,
  INITIAL_DELAY: 14,
  FAILURE_BLOCK: 15,
  BOOTSTRAP_ON_FAILURE: 16,
  RETRY_COUNT: 17,
  RETRY_TIMER: 18,
  SEQUENCE_DELAY: 19,
  SEQUENCE_COUNT: 20,
  TRIGGER: 21,
  PREFERRED_TRANSPORT: 22,
  MUTE_SEND: 23,
} as const;

/** Security modes, by the number that resource 2 has. */
export const SECURITY_MODE = { PSK: 0, RPK: 1, X509: 2, NOSEC: 3, EST: 4 } as const;
/** One of {@link SECURITY_MODE}'s numbers. */
export type SecurityMode = (typeof SECURITY_MODE)[keyof typeof SECURITY_MODE];

const MODES: readonly SecurityMode[] = [0, 1, 2, 3, 4];

/**
 * An instance of Security, read: how to reach a server. The secret key stays in the tree (or in the secure
 * element).
 */
export interface SecurityAccount {
  readonly instanceId: number;
  readonly uri: string;
  readonly bootstrap: boolean;
  readonly mode: SecurityMode;
  /** PSK identity, raw public key or certificate. */
  readonly publicKeyOrIdentity: Uint8Array;
  readonly serverPublicKey: Uint8Array;
  readonly shortServerId: number | undefined;
  readonly holdOffSeconds: number;
  /** After a bootstrap, how long its account is kept; 0 keeps it. */
  readonly accountTimeoutSeconds: number;
  readonly sni: string | undefined;
  readonly certificateUsage: number | undefined;
  readonly matchingType: number | undefined;
}

/** An instance of Server, read: how to register. */
export interface ServerAccount {
  readonly instanceId: number;
  readonly shortServerId: number;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly queueMode: boolean;
  readonly pminSeconds: number | undefined;
  readonly pmaxSeconds: number | undefined;
  readonly disableTimeoutSeconds: number;
  readonly storesNotifications: boolean;
  readonly muteSend: boolean;
  /** Lower registers first; undefined registers without waiting for others. */
  readonly priority: number | undefined;
  readonly initialDelaySeconds: number;
  readonly blocksNextOnFailure: boolean;
  readonly bootstrapOnFailure: boolean;
  readonly retry: RetryParameters;
}

/** How registration is tried again (Core §6.2.1.1; resources 17 to 20 of Server). */
export interface RetryParameters {
  /** Attempts in one sequence. */
  readonly count: number;
  /** Seconds to the second attempt; doubles with each. */
  readonly timerSeconds: number;
  readonly sequenceDelaySeconds: number;
  readonly sequenceCount: number;
}

/** Core §6.2.1.1. */
export const RETRY_DEFAULT: RetryParameters = {
  count: 5,
  timerSeconds: 60,
  sequenceDelaySeconds: 86_400,
  sequenceCount: 1,
};
const NO_BYTES = new Uint8Array(0);

/** The account of the bootstrap server, if there is one. */
export function bootstrapAccount(tree: ObjectTree): SecurityAccount | undefined {
  for (const instance of tree.objects.get(OBJECT_ID.SECURITY)?.sorted() ?? []) {
    if (instance.get(SECURITY_RESOURCE.BOOTSTRAP_SERVER) === true) return readSecurity(instance);
  }
  return undefined;
}

/** Servers to register with: each Server instance with the Security instance of the same short server id. */
export function serverAccounts(
  tree: ObjectTree,
): readonly { readonly security: SecurityAccount; readonly server: ServerAccount }[] {
  const accounts: { readonly security: SecurityAccount; readonly server: ServerAccount }[] = [];
  for (const instance of tree.objects.get(OBJECT_ID.SERVER)?.sorted() ?? []) {
    const server = readServer(instance);
    const security = server === undefined ? undefined : securityOf(tree, server.shortServerId);
    if (server !== undefined && security !== undefined) accounts.push({ security, server });
  }
  return accounts;
}

/** The Security instance, or undefined when its mandatory resources are missing. */
export function readSecurity(instance: ObjectInstance): SecurityAccount | undefined {
  const uri = instance.get(SECURITY_RESOURCE.SERVER_URI);
  const mode = MODES.find((known) => known === instance.get(SECURITY_RESOURCE.SECURITY_MODE));
  if (typeof uri !== 'string' || uri === '' || mode === undefined) return undefined;
  return {
    instanceId: instance.id,
    uri,
    bootstrap: instance.get(SECURITY_RESOURCE.BOOTSTRAP_SERVER) === true,
    mode,
    publicKeyOrIdentity: bytesOf(instance.get(SECURITY_RESOURCE.PUBLIC_KEY_OR_IDENTITY)),
    serverPublicKey: bytesOf(instance.get(SECURITY_RESOURCE.SERVER_PUBLIC_KEY)),
    shortServerId: numberOf(instance.get(SECURITY_RESOURCE.SHORT_SERVER_ID)),
    holdOffSeconds: numberOf(instance.get(SECURITY_RESOURCE.CLIENT_HOLD_OFF_TIME)) ?? 0,
    accountTimeoutSeconds: numberOf(instance.get(SECURITY_RESOURCE.BOOTSTRAP_ACCOUNT_TIMEOUT)) ?? 0,
    sni: textOf(instance.get(SECURITY_RESOURCE.SNI)),
    certificateUsage: numberOf(instance.get(SECURITY_RESOURCE.CERTIFICATE_USAGE)),
    matchingType: numberOf(instance.get(SECURITY_RESOURCE.MATCHING_TYPE)),
  };
}

/** The Server instance, or undefined when its mandatory resources are missing. */
export function readServer(instance: ObjectInstance): ServerAccount | undefined {
  const number = (resource: number): number | undefined => numberOf(instance.get(resource));
  const shortServerId = number(SERVER_RESOURCE.SHORT_SERVER_ID);
  const lifetimeSeconds = number(SERVER_RESOURCE.LIFETIME);
  if (shortServerId === undefined || lifetimeSeconds === undefined) return undefined;
  const binding = textOf(instance.get(SERVER_RESOURCE.BINDING)) ?? 'U';
  return {
    instanceId: instance.id,
    shortServerId,
    lifetimeSeconds,
    binding: binding.replace('Q', '') || 'U',
    queueMode: binding.includes('Q'),
    pminSeconds: number(SERVER_RESOURCE.DEFAULT_PMIN),
    pmaxSeconds: number(SERVER_RESOURCE.DEFAULT_PMAX),
    disableTimeoutSeconds: number(SERVER_RESOURCE.DISABLE_TIMEOUT) ?? 86_400,
    storesNotifications: instance.get(SERVER_RESOURCE.STORE_NOTIFICATIONS) === true,
    muteSend: instance.get(SERVER_RESOURCE.MUTE_SEND) === true,
    priority: number(SERVER_RESOURCE.PRIORITY_ORDER),
    initialDelaySeconds: number(SERVER_RESOURCE.INITIAL_DELAY) ?? 0,
    blocksNextOnFailure: instance.get(SERVER_RESOURCE.FAILURE_BLOCK) === true,
    bootstrapOnFailure: instance.get(SERVER_RESOURCE.BOOTSTRAP_ON_FAILURE) !== false,
    retry: {
      count: number(SERVER_RESOURCE.RETRY_COUNT) ?? RETRY_DEFAULT.count,
      timerSeconds: number(SERVER_RESOURCE.RETRY_TIMER) ?? RETRY_DEFAULT.timerSeconds,
      sequenceDelaySeconds: number(SERVER_RESOURCE.SEQUENCE_DELAY) ?? RETRY_DEFAULT.sequenceDelaySeconds,
      sequenceCount: number(SERVER_RESOURCE.SEQUENCE_COUNT) ?? RETRY_DEFAULT.sequenceCount,
    },
  };
}

function securityOf(tree: ObjectTree, shortServerId: number): SecurityAccount | undefined {
  for (const instance of tree.objects.get(OBJECT_ID.SECURITY)?.instances.values() ?? []) {
    if (instance.get(SECURITY_RESOURCE.BOOTSTRAP_SERVER) === true) continue;
    if (instance.get(SECURITY_RESOURCE.SHORT_SERVER_ID) === shortServerId) return readSecurity(instance);
  }
  return undefined;
}

function numberOf(value: ResourceValue | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function textOf(value: ResourceValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function bytesOf(value: ResourceValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : NO_BYTES;
}
