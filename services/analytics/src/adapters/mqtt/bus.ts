import type { ServiceContext } from '@sefleet/service';
import type { RecordSource } from '../../domain/ports.ts';
import { EVENTS } from '../../events.ts';
import type { ANALYTICS_SETTINGS } from '../../settings.ts';
import { startBroker } from './broker.ts';
import { MqttSource } from './mqtt-source.ts';
import { RecordQueue } from './record-queue.ts';

/** The telemetry bus: the embedded broker with its queue, or a session with a broker of the user's. */
export interface Bus {
  readonly source: RecordSource;
  /** Where the embedded broker listens; undefined for another broker. */
  readonly port: number | undefined;
  clients(): number;
  refused(): number;
  /** Bytes of messages kept on disk here. */
  queuedBytes(): number;
  /** Takes nothing more from publishers; what is queued can still be read. */
  stopListening(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the bus that the settings ask for. */
export function openBus(context: ServiceContext<typeof ANALYTICS_SETTINGS>): Promise<Bus> {
  return context.settings.mqttUrl === '' ? openEmbedded(context) : Promise.resolve(openExternal(context));
}

async function openEmbedded({ settings, tls, dataFolder, log }: Parameters<typeof openBus>[0]): Promise<Bus> {
  const queue = await RecordQueue.open({ folder: `${dataFolder}/queue`, maxBytes: settings.queueMaxBytes });
  const broker = await startBroker({
    address: settings.mqttAddress,
    port: settings.mqttPort,
    tls,
    folder: `${dataFolder}/sessions`,
    maxClients: settings.mqttMaxClients,
    maxPacketBytes: settings.mqttMaxPacketBytes,
    log,
    keep: (topic, payload) => queue.append(topic, payload),
  });
  log.emit(EVENTS.brokerListening, { address: settings.mqttAddress, port: broker.port });
  return {
    source: queue,
    port: broker.port,
    clients: () => broker.clients,
    refused: () => broker.refused,
    queuedBytes: () => queue.bytes,
    stopListening: () => broker.close(),
    close: () => queue.close(),
  };
}

function openExternal({ settings, tls, log }: Parameters<typeof openBus>[0]): Bus {
  const { mqttUrl: url, mqttMaxPacketBytes: maxPacketBytes } = settings;
  const source = new MqttSource({ url, tls, log, maxPacketBytes });
  return {
    source,
    port: undefined,
    clients: () => 0,
    refused: () => 0,
    queuedBytes: () => 0,
    stopListening: () => Promise.resolve(),
    close: () => source.close(),
  };
}
