import type { Lwm2mServer, BootstrapServer } from '@sefleet/lwm2m-coap';
import type { Peer } from '@sefleet/runtime';
import type { DeviceAuthority } from './adapters/devices/device-authority.ts';
import { DeviceTransports, type NamedPort } from './adapters/devices/device-transports.ts';
import type { Lwm2mServiceContext, SharedParts } from './parts.ts';
import { LWM2M_SERVER_SETTINGS } from './settings.ts';

/** One of the two servers of this process, and how it is reached. */
export interface ServedDevices {
  readonly server: Pick<Lwm2mServer | BootstrapServer, 'listen'>;
  readonly authority: DeviceAuthority;
  /** Settings with its ports. */
  readonly ports: { readonly secured: PortSetting; readonly plain: PortSetting };
  readonly peerGone: (peer: Peer) => void;
}

type PortSetting = 'lwm2mPort' | 'plainPort' | 'bootstrapPort' | 'plainBootstrapPort';

/** Opens every socket of a server, as the settings say. @throws SefleetError `LWM2M_SOCKET_BIND` */
export function openTransports(
  { settings, log, tls }: Lwm2mServiceContext,
  { runtime, certificates, plain }: SharedParts,
  { server, authority, ports, peerGone }: ServedDevices,
): Promise<DeviceTransports> {
  const named = (name: PortSetting): NamedPort => ({
    port: settings[name],
    setting: LWM2M_SERVER_SETTINGS[name].env,
  });
  return DeviceTransports.open({
    runtime,
    log,
    tls,
    authority,
    certificates,
    addresses: settings.address.split(/\s+/).filter((address) => address !== ''),
    secured: named(ports.secured),
    plain: plain.isEmpty ? undefined : named(ports.plain),
    tcp: settings.tcp,
    bufferBytes: settings.socketBufferBytes,
    ffiSockets: settings.ffiSockets,
    keyExchange: settings.keyExchange,
    peerGone,
    listen: (connect) => server.listen(connect),
  });
}
