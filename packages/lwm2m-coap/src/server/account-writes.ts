import { Lwm2mPath } from '@sefleet/lwm2m';
import type { Lwm2mEntry } from '@sefleet/lwm2m';
import type { BootstrapWrite } from './bootstrap.ts';

/** A device that proves itself with a key pair: by raw public key, or by certificate. */
interface KeyPairSecurity {
  readonly mode: 'rpk' | 'x509';
  /** The device's SubjectPublicKeyInfo or certificate, DER. */
  readonly publicKey: Uint8Array;
  /** The server's, or the certificate of an authority above it. */
  readonly serverPublicKey: Uint8Array;
  /** The private key, or a reference to it. */
  readonly secretKey: Uint8Array;
  /** How a server's certificate is judged: resource 15 of Security. */
  readonly certificateUsage?: number;
}

/** One server that a device is to work with: an instance of Security (0) and one of Server (1). */
export interface ServerAccountConfiguration {
  readonly securityInstance: number;
  readonly serverInstance: number;
  readonly shortServerId: number;
  readonly uri: string;
  readonly security:
    | { readonly mode: 'psk'; readonly identity: string; readonly key: Uint8Array }
    | KeyPairSecurity
    | { readonly mode: 'none' };
  readonly lifetimeSeconds: number;
  readonly binding: string;
  readonly notificationStoring: boolean;
}

/** Security modes of /0/x/2 (Core appendix E.1). */
const SECURITY_MODE = { psk: 0, rpk: 1, x509: 2, none: 3 } as const;

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
        // Without it a device prefers UDP (Core appendix E.2, resource 22).
        ...(account.binding.startsWith('T') ? [{ path: server.child(22), value: 'T' }] : []),
      ],
    },
  ];
}

function securityEntries(path: Lwm2mPath, account: ServerAccountConfiguration): readonly Lwm2mEntry[] {
  const { security } = account;
  const { identity, serverPublicKey, secretKey, certificateUsage } = keysOf(security);
  return [
    { path: path.child(0), value: account.uri },
    { path: path.child(1), value: false },
    { path: path.child(2), value: SECURITY_MODE[security.mode] },
    { path: path.child(3), value: identity },
    { path: path.child(4), value: serverPublicKey },
    { path: path.child(5), value: secretKey },
    { path: path.child(10), value: account.shortServerId },
    ...(certificateUsage === undefined ? [] : [{ path: path.child(15), value: certificateUsage }]),
  ];
}

interface SecurityKeys {
  readonly identity: Uint8Array;
  readonly serverPublicKey: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly certificateUsage?: number;
}

const NOTHING = new Uint8Array(0);

function keysOf(security: ServerAccountConfiguration['security']): SecurityKeys {
  switch (security.mode) {
    case 'psk': {
      const identity = new TextEncoder().encode(security.identity);
      return { identity, serverPublicKey: NOTHING, secretKey: security.key };
    }
    case 'none':
      return { identity: NOTHING, serverPublicKey: NOTHING, secretKey: NOTHING };
    default: {
      const { publicKey: identity, ...others } = security;
      return { identity, ...others };
    }
  }
}
