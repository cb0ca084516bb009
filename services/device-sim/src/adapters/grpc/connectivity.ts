import { common } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  DEFAULT_CONNECTIVITY,
  type BootstrapMode,
  type Connectivity,
  type ConnectivityRequest,
  type CredentialType,
  type Transport,
} from '../../device/connectivity.ts';
import { simulationError } from '../../errors.ts';

type Names<Text extends string> = readonly (readonly [Text, number])[];

const TRANSPORTS: Names<Transport> = [
  ['coaps', common.Transport.COAPS],
  ['coaps+tcp', common.Transport.COAPS_TCP],
  ['coap', common.Transport.COAP],
  ['coap+tcp', common.Transport.COAP_TCP],
];
const CREDENTIALS: Names<CredentialType> = [
  ['psk', common.CredentialType.PSK],
  ['rpk', common.CredentialType.RAW_PUBLIC_KEY],
  ['x509', common.CredentialType.CERTIFICATE],
  ['none', common.CredentialType.NONE],
];
const BOOTSTRAPS: Names<BootstrapMode> = [
  ['network', common.BootstrapMode.NETWORK],
  ['smartcard', common.BootstrapMode.SMARTCARD],
  ['factory', common.BootstrapMode.FACTORY],
];

/** What was asked for, with open ends. @throws SefleetError `SIM_PLAN_INVALID` for unknown numbers */
export function connectivityFromProto(asked: common.Connectivity | undefined): ConnectivityRequest {
  if (asked === undefined) return DEFAULT_CONNECTIVITY;
  return {
    transport: nameOf(TRANSPORTS, asked.transport) ?? DEFAULT_CONNECTIVITY.transport,
    credential: nameOf(CREDENTIALS, asked.credential),
    bootstrap: nameOf(BOOTSTRAPS, asked.bootstrap) ?? DEFAULT_CONNECTIVITY.bootstrap,
    queueMode: asked.queueMode,
  };
}

/** As the contract writes it. */
export function connectivityToProto({
  transport,
  credential,
  bootstrap,
  queueMode,
}: Connectivity): MessageInitShape<typeof common.ConnectivitySchema> {
  return {
    transport: numberOf(TRANSPORTS, transport),
    credential: numberOf(CREDENTIALS, credential),
    bootstrap: numberOf(BOOTSTRAPS, bootstrap),
    queueMode,
  };
}

/** The name of a number; undefined for 0, which leaves it open. */
function nameOf<Text extends string>(names: Names<Text>, number: number): Text | undefined {
  const name = names.find(([, known]) => known === number)?.[0];
  if (name !== undefined || number === 0) return name;
  throw simulationError('SIM_PLAN_INVALID', `no connectivity has number ${number}`);
}

function numberOf<Text extends string>(names: Names<Text>, name: Text): number {
  return names.find(([known]) => known === name)?.[1] ?? 0;
}
