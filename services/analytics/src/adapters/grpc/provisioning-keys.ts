import { timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { provisioning } from '@sefleet/api';
import { RECORD_KEY_BYTES } from '@sefleet/cose';
import type { GrpcClient } from '@sefleet/service';
import type { RecordKeySource } from '../../domain/ports.ts';
import { analyticsError } from '../../errors.ts';

const DEADLINE_MS = 5000;

/** Record keys from provisioning; undefined where none is configured. */
export function createRecordKeySource(
  client: GrpcClient<typeof provisioning.RecordKeyService> | undefined,
): RecordKeySource {
  return {
    fetch: async (newerThanMs) => {
      if (client === undefined) {
        throw analyticsError('ANALYTICS_KEYS_UNAVAILABLE', 'no provisioning service is configured', {
          hint: 'Set SEFLEET_PROVISIONING_TARGET to its host and port.',
        });
      }
      const request =
        newerThanMs === undefined ? {} : { newerThan: timestampFromMs(Math.max(0, newerThanMs)) };
      const { keys } = await client.listRecordKeys(request, { deadlineMs: DEADLINE_MS });
      return keys
        .filter(({ masterKey }) => masterKey.length === RECORD_KEY_BYTES)
        .map(({ stakeholder, keyVersion, masterKey, createdAt }) => ({
          stakeholder,
          keyVersion,
          masterKey,
          createdAtMs: createdAt === undefined ? 0 : timestampDate(createdAt).getTime(),
        }));
    },
  };
}
