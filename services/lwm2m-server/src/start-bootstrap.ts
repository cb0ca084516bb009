import { createBootstrapServer } from '@sefleet/lwm2m-coap';
import type { AuthorisedDevice, BootstrapConfiguration, BootstrapServer } from '@sefleet/lwm2m-coap';
import { DeviceAuthority } from './adapters/devices/device-authority.ts';
import { DeviceTransports } from './adapters/devices/device-transports.ts';
import {
  bootstrapConfigurationFor,
  plainConfiguration,
} from './adapters/provisioning/bootstrap-configurations.ts';
import { withTemplates } from './domain/bootstrap-templates.ts';
import type { Lwm2mServiceContext, SharedParts } from './parts.ts';
import { LWM2M_SERVER_SETTINGS } from './settings.ts';
import { addressesOf } from './start-management.ts';

/** Starts the bootstrap server. @throws SefleetError `LWM2M_SOCKET_BIND` */
export async function startBootstrap(
  { settings, log, tls }: Lwm2mServiceContext,
  parts: SharedParts,
): Promise<{ readonly server: BootstrapServer; readonly transports: DeviceTransports }> {
  const { runtime, models, credentials, reports, certificates, templates, plain } = parts;
  const authority = new DeviceAuthority({
    ...parts,
    account: 'bootstrap',
    // A bootstrap takes nothing from the device that is registered under the name.
    registeredCredential: () => undefined,
  });
  const shards = settings.shards.split(/\s+/).filter((uri) => uri !== '');
  const accountsOf = (device: AuthorisedDevice): Promise<BootstrapConfiguration | undefined> =>
    device.isUnproven === true
      ? Promise.resolve(plainConfiguration(settings.plainUri))
      : bootstrapConfigurationFor(credentials, device.endpoint, shards);
  const server = createBootstrapServer({
    runtime,
    models,
    authoriser: authority,
    configurationFor: async (device) => {
      const accounts = await accountsOf(device);
      return accounts === undefined ? undefined : withTemplates(accounts, device, templates);
    },
    events: reports.bootstrapEvents,
  });
  const { bootstrapPort, plainBootstrapPort } = LWM2M_SERVER_SETTINGS;
  const transports = await DeviceTransports.open({
    runtime,
    log,
    tls,
    authority,
    certificates,
    addresses: addressesOf(settings.address),
    secured: { port: settings.bootstrapPort, setting: bootstrapPort.env },
    plain: plain.isEmpty ? undefined : { port: settings.plainBootstrapPort, setting: plainBootstrapPort.env },
    tcp: settings.tcp,
    bufferBytes: settings.socketBufferBytes,
    ffiSockets: settings.ffiSockets,
    keyExchange: settings.keyExchange,
    peerGone: () => {},
    listen: (connect) => server.listen(connect),
  });
  return { server, transports };
}
