import type { MqttClient } from 'mqtt';
import { recordTopic } from '@sefleet/cose';
import {
  AnalyticsProcess,
  deviceCredential,
  next,
  sealed,
  sessionCredential,
  until,
} from '../../integration/analytics/analytics-process.ts';

/** Clients that publish to a running service. */
export interface Publishers {
  /** Publishes so many messages, waits until all are stored, and gives acknowledged messages per second. */
  round(messages: number): Promise<number>;
  /** From publishing to the acknowledgement, of every message so far. */
  latenciesMs(): readonly number[];
  close(): Promise<void>;
}

interface Publisher {
  readonly client: MqttClient;
  readonly endpoint: string;
  sequence: number;
}

const UNACKNOWLEDGED = 32;

export async function startPublishers(count: number): Promise<Publishers> {
  const analytics = await AnalyticsProcess.start({ environment: { SEFLEET_INGEST_LINGER_MS: '250' } });
  const latencies: number[] = [];
  const publishers = await Promise.all(
    Array.from({ length: count }, async (_, at): Promise<Publisher> => {
      const endpoint = `urn:dev:sefleet:obu-${String(at).padStart(6, '0')}`;
      const device = await deviceCredential(analytics.authority(), endpoint);
      const client = analytics.mqtt(await sessionCredential(device, 'session'));
      await next(client, 'connect');
      return { client, endpoint, sequence: 1 };
    }),
  );
  const telemetry = analytics.telemetryClient();
  let sent = 0;
  return {
    round: async (messages) => {
      const each = Math.ceil(messages / count);
      const plans = publishers.map((publisher) => ({
        publisher,
        records: Array.from({ length: each }, () =>
          sealed({ endpoint: publisher.endpoint, sequence: publisher.sequence++ }),
        ),
      }));
      const started = performance.now();
      await Promise.all(plans.map(({ publisher, records }) => publishAll(publisher, records, latencies)));
      const perSecond = (1000 * each * count) / (performance.now() - started);
      sent += each * count;
      await until('every record stored', async () => {
        const { recordsStored } = await telemetry.getIngestStatistics({});
        return recordsStored === BigInt(sent) ? true : undefined;
      });
      return perSecond;
    },
    latenciesMs: () => latencies,
    close: () => analytics.stop(),
  };
}

async function publishAll(
  { client, endpoint }: Publisher,
  records: readonly Uint8Array[],
  latencies: number[],
): Promise<void> {
  const topic = recordTopic({ kind: 'obu', endpoint });
  const iterator = records.values();
  const worker = async (): Promise<void> => {
    for (const record of iterator) {
      const started = performance.now();
      await client.publishAsync(topic, Buffer.from(record), { qos: 1 });
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: UNACKNOWLEDGED }, worker));
}
