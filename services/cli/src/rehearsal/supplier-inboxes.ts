import { recordInbox } from '@sefleet/api';
import { createGrpcClient, readTlsFiles } from '@sefleet/service';
import { patientClient } from './patient-client.ts';
import { rehearsalPki, type RehearsalLayout } from './rehearsal-layout.ts';

/** Sealed records as suppliers' own servers took them, by supplier and meter. */
export type SupplierInboxes = ReadonlyMap<string, ReadonlyMap<string, readonly Uint8Array[]>>;

const LONG_CALL = { deadlineMs: 1_800_000 };

/** Reads what has come in at the suppliers' servers; undefined where they have none. */
export async function readSupplierInboxes(layout: RehearsalLayout): Promise<SupplierInboxes | undefined> {
  if (layout.supplierPorts.size === 0) return undefined;
  const tls = readTlsFiles(rehearsalPki(layout), 'cli');
  const inboxes = new Map<string, Map<string, Uint8Array[]>>();
  for (const [supplier, port] of layout.supplierPorts) {
    const target = `127.0.0.1:${port}`;
    const client = patientClient(createGrpcClient(recordInbox.RecordInboxService, target, tls));
    const inbox = new Map<string, Uint8Array[]>();
    try {
      for await (const { records } of client.listRecords({}, LONG_CALL)) {
        for (const { endpoint, sealed } of records) {
          const known = inbox.get(endpoint);
          if (known === undefined) inbox.set(endpoint, [sealed]);
          else known.push(sealed);
        }
      }
    } finally {
      client.close();
    }
    inboxes.set(supplier, inbox);
  }
  return inboxes;
}
