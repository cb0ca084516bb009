import { simulationError } from '../errors.ts';

/** How a device talks to its management server. */
const TRANSPORTS = ['coaps', 'coaps+tcp', 'coap', 'coap+tcp'] as const;
/** How it proves itself there. */
const CREDENTIALS = ['psk', 'rpk', 'x509', 'none'] as const;
/** Where it finds its server accounts when it is new. */
const BOOTSTRAPS = ['network', 'smartcard', 'factory'] as const;

export type Transport = (typeof TRANSPORTS)[number];
export type CredentialType = (typeof CREDENTIALS)[number];
export type BootstrapMode = (typeof BOOTSTRAPS)[number];

/** How the devices of a fleet reach their servers. */
export interface Connectivity {
  readonly transport: Transport;
  readonly credential: CredentialType;
  readonly bootstrap: BootstrapMode;
  /** They listen only for a while after each message. */
  readonly queueMode: boolean;
}

/** What a fleet is asked to have; without a credential it takes the usual one. */
export type ConnectivityRequest = Omit<Connectivity, 'credential'> & {
  readonly credential: CredentialType | undefined;
};

/** What is usual. */
export const DEFAULT_CONNECTIVITY: Connectivity = {
  transport: 'coaps',
  credential: 'psk',
  bootstrap: 'network',
  queueMode: false,
};

/**
 * The usual credential first. Over TLS only certificates: a pre-shared key would have to leave the card for
 * `node:tls`, which knows no raw public keys either.
 */
const CREDENTIALS_OF: Readonly<Record<Transport, readonly CredentialType[]>> = {
  coaps: ['psk', 'rpk', 'x509'],
  'coaps+tcp': ['x509'],
  coap: ['none'],
  'coap+tcp': ['none'],
};

/**
 * Connectivity with what was left open filled in.
 *
 * @throws SefleetError `SIM_PLAN_INVALID` when credential and transport do not go together
 */
export function toConnectivity(asked: ConnectivityRequest): Connectivity {
  const possible = CREDENTIALS_OF[asked.transport];
  const credential = asked.credential ?? possible[0] ?? 'none';
  if (possible.includes(credential)) return { ...asked, credential };
  throw simulationError(
    'SIM_PLAN_INVALID',
    `devices over ${asked.transport} have no credential ${credential}`,
    {
      hint: `With ${asked.transport}: ${possible.join(', ')}.`,
    },
  );
}

/** True for streams: no datagrams that a network could lose. */
export function isStream({ transport }: Pick<Connectivity, 'transport'>): boolean {
  return transport.endsWith('+tcp');
}

/** As it is kept with a device. */
export function connectivityText({ transport, credential, bootstrap, queueMode }: Connectivity): string {
  return [transport, credential, bootstrap, ...(queueMode ? ['queue'] : [])].join(' ');
}

/** The connectivity that {@link connectivityText} gave; undefined for another text. */
export function readConnectivity(text: string): Connectivity | undefined {
  const [first, second, third, queue] = text.split(' ');
  const transport = TRANSPORTS.find((known) => known === first);
  const credential = CREDENTIALS.find((known) => known === second);
  const bootstrap = BOOTSTRAPS.find((known) => known === third);
  if (transport === undefined || credential === undefined || bootstrap === undefined) return undefined;
  return { transport, credential, bootstrap, queueMode: queue === 'queue' };
}
