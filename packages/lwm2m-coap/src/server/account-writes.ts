import { Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import type { BootstrapWrite } from './bootstrap.ts';

/** One server that a device is to work with: an instance of Security (0) and one of Server (1). */
export interface ServerAccountConfiguration {
  readonly securityInstance: number;
  readonly serverInstance: number;
  readonly shortServerId: number;
  readonly uri: string;
  readonly security:
    | { readonly mode: 'psk'; readonly identity: string; readonly key: Uint8Array }
    | { readonly mode: 'none' };
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly notificationStoring: boolean;
}

/** Security modes of /0/x/2 (Core appendix E.1). */
const SECURITY_MODE = { psk: 0, none: 3 } as const;

/** The two Bootstrap-Writes of an account (Core appendix E.1, E.2). */
export function accountWrites(account: ServerAccountConfiguration): readonly BootstrapWrite[] {
  const security = new Lwm2mPath(0, account.securityInstance);
  const server = new Lwm2mPath(1, account.serverInstance);
  return [
    { path: security, entries: securityEntries(security, account) },
    {
      path: server,
      entries: [
        { path: server.child(0), value: account.shortServerId },
        { path: server.child(1), value: account.lifetimeSeconds },
        { path: server.child(6), value: account.notificationStoring },
        { path: server.child(7), value: account.binding },
      ],
    },
  ];
}

function securityEntries(path: Lwm2mPath, account: ServerAccountConfiguration): readonly Lwm2mEntry[] {
  const { security } = account;
  const identity = security.mode === 'psk' ? new TextEncoder().encode(security.identity) : new Uint8Array(0);
  const key = security.mode === 'psk' ? security.key : new Uint8Array(0);
  return [
    { path: path.child(0), value: account.uri },
    { path: path.child(1), value: false },
    { path: path.child(2), value: SECURITY_MODE[security.mode] },
    { path: path.child(3), value: identity },
    { path: path.child(4), value: new Uint8Array(0) },
    { path: path.child(5), value: key },
    { path: path.child(10), value: account.shortServerId },
  ];
}
