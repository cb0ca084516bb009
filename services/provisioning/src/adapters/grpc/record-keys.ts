import { provisioning } from '@sefleet/api';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import { timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { KeyCustody } from '../../custody/key-custody.ts';
import { allParties, findParty } from '../../domain/party.ts';
import { PROVISIONING_EVENTS } from '../../events.ts';
import { requirePermission } from './authorisation.ts';

/** Record master keys, for the part of analytics that opens records on their stakeholders' behalf. */
export function serveRecordKeys(options: {
  readonly custody: KeyCustody;
  readonly log: EventLog;
}): ServedService {
  const { custody, log } = options;
  return serve(provisioning.RecordKeyService, {
    listRecordKeys: async ({ newerThan }, { caller }) => {
      const own = findParty(caller);
      if (own === undefined) requirePermission(caller, 'read-record-keys', log);
      const after = newerThan === undefined ? -Infinity : timestampDate(newerThan).getTime();
      const keys = [];
      for (const { id } of own === undefined ? allParties() : [own]) {
        const vault = custody.vault(id);
        for (const { purpose, version, state, createdAt } of await vault.keys()) {
          if (purpose !== 'record' || state !== 'active' || createdAt <= after) continue;
          const masterKey = await vault.release('record', version);
          keys.push({
            stakeholder: id,
            keyVersion: version,
            masterKey,
            createdAt: timestampFromMs(createdAt),
          });
        }
      }
      if (keys.length > 0) log.emit(PROVISIONING_EVENTS.masterKeyReleased, { caller, keys: keys.length });
      return { keys };
    },
  });
}
