import { common, provisioning } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ServerAccountConfiguration } from '@sefleet/lwm2m-coap';
import {
  CREDENTIALS_OF,
  DEFAULT_CONNECTIVITY,
  type BootstrapMode,
  type Connectivity,
  type CredentialType,
  type Transport,
} from '../../domain/connectivity.ts';
import { provisioningError } from '../../errors.ts';

const TRANSPORTS: Readonly<Partial<Record<common.Transport, Transport>>> = {
  [common.Transport.UNSPECIFIED]: 'coaps',
  [common.Transport.COAPS]: 'coaps',
  [common.Transport.COAPS_TCP]: 'coaps+tcp',
  [common.Transport.COAP]: 'coap',
  [common.Transport.COAP_TCP]: 'coap+tcp',
};
const CREDENTIALS: Readonly<Partial<Record<common.CredentialType, CredentialType>>> = {
  [common.CredentialType.PSK]: 'psk',
  [common.CredentialType.RAW_PUBLIC_KEY]: 'rpk',
  [common.CredentialType.CERTIFICATE]: 'x509',
  [common.CredentialType.NONE]: 'none',
};
const BOOTSTRAPS: Readonly<Partial<Record<common.BootstrapMode, BootstrapMode>>> = {
  [common.BootstrapMode.UNSPECIFIED]: 'network',
  [common.BootstrapMode.NETWORK]: 'network',
  [common.BootstrapMode.SMARTCARD]: 'smartcard',
  [common.BootstrapMode.FACTORY]: 'factory',
};

/** @throws SefleetError `PROVISIONING_REQUEST_INVALID` for a number that stands for nothing */
export function fromApiConnectivity(asked: common.Connectivity | undefined): Connectivity {
  if (asked === undefined) return DEFAULT_CONNECTIVITY;
  const transport = TRANSPORTS[asked.transport];
  const bootstrap = BOOTSTRAPS[asked.bootstrap];
  const usual = transport === undefined ? undefined : CREDENTIALS_OF[transport][0];
  const isOpen = asked.credential === common.CredentialType.UNSPECIFIED;
  const credential = isOpen ? usual : CREDENTIALS[asked.credential];
  if (transport === undefined || bootstrap === undefined || credential === undefined) {
    throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a way to reach servers that is not known');
  }
  return { transport, credential, bootstrap, queueMode: asked.queueMode };
}

const { SecurityMode } = provisioning;
const MODES = {
  psk: SecurityMode.PSK,
  rpk: SecurityMode.RAW_PUBLIC_KEY,
  x509: SecurityMode.CERTIFICATE,
  none: SecurityMode.NONE,
} as const;

/** An account as the contract writes it. */
export function toApiAccount(
  account: ServerAccountConfiguration,
): MessageInitShape<typeof provisioning.ServerAccountSchema> {
  const { security, ...others } = account;
  const securityMode = MODES[security.mode];
  switch (security.mode) {
    case 'none':
      return { ...others, securityMode };
    case 'psk':
      return { ...others, securityMode, pskIdentity: security.identity, secretKey: security.key };
    default: {
      const { mode: _mode, certificateUsage = 0, ...keys } = security;
      return { ...others, securityMode, certificateUsage, ...keys };
    }
  }
}
