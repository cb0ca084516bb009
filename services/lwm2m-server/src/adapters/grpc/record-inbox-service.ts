import { recordInbox } from '@sefleet/api';
import { serve, type ServedService } from '@sefleet/service';
import type { Gatekeeper } from '../../domain/access/gatekeeper.ts';
import { serviceError } from '../../errors.ts';
import type { RecordInbox } from '../inbox/record-inbox.ts';

const MAX_ENDPOINTS = 1000;

/** RecordInboxService: what came in, for the server's owner. */
export function serveRecordInbox(inbox: RecordInbox, gatekeeper: Gatekeeper): ServedService {
  return serve(recordInbox.RecordInboxService, {
    async *listRecords({ endpoints, afterPosition }, { caller, signal }) {
      gatekeeper.require({ caller, operation: 'events' });
      if (endpoints.length > MAX_ENDPOINTS)
        throw serviceError('LWM2M_REQUEST_INVALID', `at most ${MAX_ENDPOINTS} devices at a time`);
      for (const endpoint of endpoints.length === 0 ? [undefined] : endpoints) {
        for await (const page of inbox.read(endpoint, Number(afterPosition))) {
          if (signal.aborted) return;
          yield {
            records: page.map(({ position, receivedAt, ...record }) => ({
              ...record,
              position: BigInt(position),
              receivedAt: BigInt(receivedAt),
            })),
          };
        }
      }
    },
  });
}
