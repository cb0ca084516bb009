import { join } from 'node:path';
import { createLwm2mServer } from '@sefleet/lwm2m-coap';
import type { Lwm2mServer } from '@sefleet/lwm2m-coap';
import { DeviceAuthority } from './adapters/devices/device-authority.ts';
import type { DeviceTransports } from './adapters/devices/device-transports.ts';
import { SessionFile } from './adapters/devices/session-file.ts';
import type { FirmwareImages } from './domain/campaigns/firmware-images.ts';
import { EVENTS } from './events.ts';
import { openTransports } from './open-transports.ts';
import type { Lwm2mServiceContext, SharedParts } from './parts.ts';

/** The management server on its sockets. */
export interface StartedManagement {
  readonly server: Lwm2mServer;
  readonly transports: DeviceTransports;
  /** Devices keep their sessions over a restart; without this they would be told that it is over. */
  saveSessions(): void;
}

/** Starts the management server with what the last run left. @throws SefleetError `LWM2M_SOCKET_BIND` */
export async function startManagement(
  context: Lwm2mServiceContext,
  parts: SharedParts,
  images: FirmwareImages,
): Promise<StartedManagement> {
  const { settings } = context;
  const { runtime, models, store, reports } = parts;
  const authority = new DeviceAuthority({
    ...parts,
    account: 'management',
    registeredCredential: (endpoint) => server.find(endpoint)?.registration.credential,
  });
  const server = createLwm2mServer({
    runtime,
    models,
    store,
    awakeTimeMs: settings.awakeTimeMs,
    operationTimeoutMs: settings.operationTimeoutMs,
    limits: { maxLifetimeSeconds: settings.maxLifetimeSeconds || Infinity },
    authoriser: authority,
    consumer: reports,
    events: reports.serverEvents,
    resources: (request) => images.handle(request),
  });
  await server.restore();
  const transports = await openTransports(context, parts, {
    server,
    authority,
    ports: { secured: 'lwm2mPort', plain: 'plainPort' },
    peerGone: (peer) => server.peerGone(peer),
  });
  adoptSessions(context, server, transports);
  return {
    server,
    transports,
    saveSessions: () => {
      for (const [index, { listener }] of transports.secured.entries()) {
        sessionFile(context, index).save(listener.dtls.exportSessions());
      }
    },
  };
}

/** Sessions that were open when the service was stopped go on. */
function adoptSessions(
  context: Lwm2mServiceContext,
  server: Lwm2mServer,
  { secured }: DeviceTransports,
): void {
  const { log } = context;
  let sessions = 0;
  for (const [index, { listener, coap }] of secured.entries()) {
    const saved = sessionFile(context, index).take();
    const peers = saved === undefined ? [] : listener.dtls.importSessions(saved);
    sessions += peers.length;
    for (const peer of peers) {
      // A device whose credential cannot be looked up now is known again when it speaks.
      void server.adopt(coap, peer).catch(() => log.count('sessions.notAdopted'));
    }
  }
  log.emit(EVENTS.restored, { registrations: server.size, sessions });
}

/** One a listening address. */
function sessionFile({ dataFolder, tls }: Lwm2mServiceContext, index: number): SessionFile {
  const name = index === 0 ? 'sessions.sealed' : `sessions-${index}.sealed`;
  return new SessionFile(join(dataFolder, name), tls.privateKey);
}
