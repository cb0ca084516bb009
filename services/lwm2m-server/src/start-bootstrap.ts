import { createBootstrapServer } from '@sefleet/lwm2m-coap';
import type { AuthorisedDevice, BootstrapConfiguration, BootstrapServer } from '@sefleet/lwm2m-coap';
import { DeviceAuthority } from './adapters/devices/device-authority.ts';
import type { DeviceTransports } from './adapters/devices/device-transports.ts';
import {
  bootstrapConfigurationFor,
  plainConfiguration,
} from './adapters/provisioning/bootstrap-configurations.ts';
import { withTemplates } from './domain/bootstrap-templates.ts';
import { openTransports } from './open-transports.ts';
import type { Lwm2mServiceContext, SharedParts } from './parts.ts';

/** Starts the bootstrap server. @throws SefleetError `LWM2M_SOCKET_BIND` */
export async function startBootstrap(
  context: Lwm2mServiceContext,
  parts: SharedParts,
): Promise<{ readonly server: BootstrapServer; readonly transports: DeviceTransports }> {
  const { settings } = context;
  const { runtime, models, credentials, reports, templates } = parts;
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
  const transports = await openTransports(context, parts, {
    server,
    authority,
    ports: { secured: 'bootstrapPort', plain: 'plainBootstrapPort' },
    peerGone: () => {},
  });
  return { server, transports };
}
