import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { recordTopic } from '@sefleet/cose';
import type { Runtime } from '@sefleet/runtime';
import { connectStream, createNodeRuntime, UdpChannel } from '@sefleet/runtime/node';
import { OWN_CALLERS, type RunningService, type ServiceContext } from '@sefleet/service';
import { createCardOrders } from './adapters/grpc/card-orders.ts';
import { serveRehearsalGround } from './adapters/grpc/rehearsal-ground-service.ts';
import { createSimulationService } from './adapters/grpc/simulation-service.ts';
import type { VirtualDevice } from './device/virtual-device.ts';
import { createFleetCards } from './doors/fleet-cards.ts';
import { startRacsDoor } from './doors/racs-door.ts';
import { serveSecureElements } from './doors/secure-element-service.ts';
import { Visitors } from './doors/visitors.ts';
import { simulationError } from './errors.ts';
import type { FleetMetrics } from './fleet/fleet-metrics.ts';
import { Gate } from './fleet/gate.ts';
import { Simulation } from './fleet/simulation.ts';
import type { DEVICE_SIM_SETTINGS } from './settings.ts';
import { RehearsalGround, type RehearsalGroundPorts } from './rehearsal/rehearsal-ground.ts';
import { RehearsalStore } from './rehearsal/rehearsal-store.ts';
import { FleetStore } from './store/fleet-store.ts';
import { GroupCommit } from './store/group-commit.ts';
import { Lwm2mCarrier } from './telemetry/lwm2m-carrier.ts';
import { MqttCarrier, type MqttFleetOptions } from './telemetry/mqtt-carrier.ts';
import type { RecordCarrier } from './telemetry/record-carrier.ts';
import { createSessionCredential } from './telemetry/session-certificate.ts';

type Context = ServiceContext<typeof DEVICE_SIM_SETTINGS>;

/** TLS handshakes with the broker under way at once. */
const MQTT_HANDSHAKES = 8;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const FLEET_FILE = 'fleet.db';
/** What one device receives between two turns of the event loop is little: a small buffer each. */
const RECEIVE_BUFFER_BYTES = 65_536;

/** The device simulator: wires the fleet to sockets, disk, provisioning and gRPC. */
export async function startDeviceSim({ settings, log, tls, dataFolder }: Context): Promise<RunningService> {
  const runtime = createNodeRuntime();
  const store = openStore(dataFolder);
  const nowMs = (): number => runtime.clock.monotonicMs();
  const journal = new GroupCommit(store, {
    timers: runtime.timers,
    nowMs,
    windowMs: settings.commitWindowMs,
  });
  const cards = createCardOrders(settings.provisioningTarget, tls);
  const residentMemoryBytes = (): number => process.memoryUsage.rss();
  const parts = { store, cards, runtime, simulation: () => simulation };
  const rehearsal = settings.rehearsal ? openRehearsal(dataFolder, parts) : undefined;
  const simulation: Simulation = new Simulation(
    {
      runtime,
      store,
      journal,
      cards,
      log,
      bind: () => UdpChannel.bind({ receiveBufferBytes: RECEIVE_BUFFER_BYTES, maxQueued: 64 }),
      openStream: connectStream,
      carrierFor: createCarriers({ settings, tls }, runtime),
      residentMemoryBytes,
      hooks: () => rehearsal?.ground.hooks,
      openFilesLimit,
    },
    settings,
  );
  const benchCards = createFleetCards(simulation);
  const visitors = new Visitors();
  const racs = await startRacsDoor({
    ...racsSettings(settings),
    tls,
    cards: benchCards,
    visitors,
    runtime,
    log,
  });
  simulation.resume();
  return {
    // Cards are handed out here, with the keys of every stakeholder.
    mayCall: (caller) => OWN_CALLERS.has(caller),
    grpc: [
      createSimulationService({ runtime, simulation, residentMemoryBytes }),
      serveSecureElements(benchCards, visitors, runtime.clock),
      ...(rehearsal === undefined ? [] : [serveRehearsalGround(rehearsal.ground)]),
    ],
    ready: { racsPort: racs.localAddress().port },
    stop: async () => {
      await racs.close();
      await simulation.powerOff();
      cards.close();
      rehearsal?.kept.close();
      store.close();
      runtime.close();
    },
  };
}

/** The settings of the RACS door. */
function racsSettings(settings: Context['settings']) {
  return {
    address: settings.racsAddress,
    port: settings.racsPort,
    tablesFile: settings.racsTables,
    silenceMs: settings.racsSilenceSeconds * SECOND_MS,
  };
}

/** What a rehearsal is kept in, and its ground. */
function openRehearsal(folder: string, parts: Omit<RehearsalGroundPorts, 'kept'>) {
  const kept = new RehearsalStore(join(folder, FLEET_FILE));
  return { kept, ground: new RehearsalGround({ ...parts, kept }) };
}

/** The runtime raises the soft limit to the hard one when it starts; Linux tells what it has come to. */
function openFilesLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === 'unlimited' ? Infinity : Number(soft ?? Number.NaN) || undefined;
  } catch {
    // Not Linux: sockets that cannot be opened are counted as they fail.
    return undefined;
  }
}

function openStore(dataFolder: string): FleetStore {
  try {
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw simulationError('SIM_STORE_FAILED', `the folder ${dataFolder} cannot be made`, {
      cause,
      hint: 'Set SEFLEET_DATA to a folder that can be written.',
    });
  }
  return new FleetStore(join(dataFolder, FLEET_FILE));
}

/** Vehicles report by MQTT, everything else by LwM2M Send. */
function createCarriers(
  { settings, tls }: Pick<Context, 'settings' | 'tls'>,
  runtime: Runtime,
): (device: VirtualDevice, metrics: FleetMetrics) => RecordCarrier {
  const gate = new Gate(MQTT_HANDSHAKES);
  const { authority } = tls;
  const fleetOptions = (metrics: FleetMetrics): MqttFleetOptions => ({
    runtime,
    url: settings.mqttUrl,
    authority,
    gate,
    events: {
      connected: () => metrics.mqttConnected++,
      disconnected: () => metrics.mqttConnected--,
      failed: () => metrics.count('mqtt.failed'),
    },
  });
  return (device, metrics) => {
    const { endpoint, kind, card, certificateChain, deviceKeyId } = device;
    if (kind !== 'obu') return new Lwm2mCarrier(device.client);
    return new MqttCarrier(fleetOptions(metrics), {
      endpoint,
      topic: recordTopic({ kind, endpoint }),
      credential: () =>
        card.whenDone(
          createSessionCredential({
            endpoint,
            certificateChain,
            nowMs: runtime.clock.wallMs(),
            lifetimeMs: settings.sessionCertificateMinutes * MINUTE_MS,
            rng: runtime.rng,
            sign: (message) => card.sign(deviceKeyId, message),
          }),
        ),
    });
  };
}
