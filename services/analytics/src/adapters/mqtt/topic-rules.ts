import { parseRecordTopic, recordTopic } from '@sefleet/cose';
import { isSefleetError } from '@sefleet/errors';
import type { MqttIdentity } from './peer-identity.ts';

const SYSTEM_PREFIX = '$';
/** A device may listen below `sefleet/v1/<kind>/<endpoint>/`, for what is meant for it. */
const RECORDS_LEVEL = 'records';

/** True for the topics that carry sealed records. */
export function isRecordTopic(topic: string): boolean {
  return recordTopicOf(topic) !== undefined;
}

/** A device publishes its own records only; a service whatever it likes, but for the broker's own topics. */
export function mayPublish(identity: MqttIdentity, topic: string): boolean {
  if (identity.role === 'service') return !topic.startsWith(SYSTEM_PREFIX);
  return recordTopicOf(topic)?.endpoint === identity.endpoint;
}

/** A device listens below its own topic, without wildcards; a service wherever it likes. */
export function maySubscribe(identity: MqttIdentity, filter: string): boolean {
  if (identity.role === 'service') return true;
  if (/[+#]/.test(filter)) return false;
  const parent = filter.slice(0, filter.lastIndexOf('/') + 1);
  const device = recordTopicOf(parent + RECORDS_LEVEL);
  return device?.endpoint === identity.endpoint && filter !== recordTopic(device);
}

function recordTopicOf(topic: string): ReturnType<typeof parseRecordTopic> | undefined {
  try {
    return parseRecordTopic(topic);
  } catch (error) {
    if (isSefleetError(error, 'COSE_RECORD_MALFORMED')) return undefined;
    throw error;
  }
}
