/** How a device talks to its management server. */
export type Transport = 'coaps' | 'coaps+tcp' | 'coap' | 'coap+tcp';

/** How a device proves itself to its management server. */
export type CredentialType = 'psk' | 'rpk' | 'x509' | 'none';

/** Where a new device finds its server accounts. */
export type BootstrapMode = 'network' | 'smartcard' | 'factory';

/** How a device reaches its management server. */
export interface Connectivity {
  readonly transport: Transport;
  readonly credential: CredentialType;
  readonly bootstrap: BootstrapMode;
  readonly queueMode: boolean;
}

/** What a device has that nobody said anything about. */
export const DEFAULT_CONNECTIVITY: Connectivity = {
  transport: 'coaps',
  credential: 'psk',
  bootstrap: 'network',
  queueMode: false,
};

/** Credentials that go with a transport, the usual one first. */
export const CREDENTIALS_OF: Readonly<Record<Transport, readonly CredentialType[]>> = {
  coaps: ['psk', 'rpk', 'x509'],
  'coaps+tcp': ['x509'],
  coap: ['none'],
  'coap+tcp': ['none'],
};

/** True when nothing is different. */
export function isSameConnectivity(a: Connectivity, b: Connectivity): boolean {
  return (
    a.transport === b.transport &&
    a.credential === b.credential &&
    a.bootstrap === b.bootstrap &&
    a.queueMode === b.queueMode
  );
}
