import { telemetry } from '@sefleet/api';
import { serve, type ServedService } from '@sefleet/service';
import type { TelemetryState } from '../../domain/telemetry.ts';

/** Devices in one message of the ledger. */
const LEDGER_PAGE = 500;

/** The servers' side of the ledger, over gRPC. */
export function createTelemetryService(state: TelemetryState): ServedService {
  return serve(telemetry.TelemetryService, {
    listLedger: async function* () {
      const queries = await state.queries();
      let devices: {
        endpoint: string;
        stakeholder: string;
        firstSequence: bigint;
        lastSequence: bigint;
        stored: bigint;
        duplicated: bigint;
      }[] = [];
      for await (const row of queries.ledger()) {
        devices.push({
          endpoint: row.endpoint,
          stakeholder: row.stakeholder,
          firstSequence: BigInt(row.firstSequence),
          lastSequence: BigInt(row.lastSequence),
          stored: BigInt(row.stored),
          duplicated: BigInt(row.duplicated),
        });
        if (devices.length < LEDGER_PAGE) continue;
        yield { devices };
        devices = [];
      }
      if (devices.length > 0) yield { devices };
    },
    getIngestStatistics: () => {
      const { ingest, mqttClients, mqttRefused } = state.statistics();
      return {
        messagesReceived: BigInt(ingest.messagesReceived),
        recordsStored: BigInt(ingest.stored),
        duplicatesDropped: BigInt(ingest.duplicates),
        rejected: BigInt(ingest.rejected),
        rowsPerSecond: ingest.rowsPerSecond,
        mqttClients: BigInt(mqttClients),
        mqttRefused: BigInt(mqttRefused),
      };
    },
  });
}
