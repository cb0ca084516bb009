import { coseError } from '../errors.ts';

/** What kind of device a topic names. */
export type RecordTopicKind = 'smart-meter' | 'obu' | 'rpm-gateway';

/** The device that a topic belongs to. */
export interface RecordTopic {
  readonly kind: RecordTopicKind;
  readonly endpoint: string;
}

/** Filter for the records of every device. */
export const RECORD_TOPIC_FILTER = 'sefleet/v1/+/+/records';

const KINDS: readonly RecordTopicKind[] = ['smart-meter', 'obu', 'rpm-gateway'];
const MAX_ENDPOINT_BYTES = 255;
const MAX_TOPIC_LENGTH = 1024;

/**
 * The MQTT topic of a device's records: `sefleet/v1/<kind>/<endpoint>/records`. In the endpoint name `%`,
 * `/`, `+`, `#` and control characters are percent-encoded, since they would change the topic's levels.
 *
 * @throws SefleetError `COSE_RECORD_INVALID` for an endpoint name that is empty or longer than 255 bytes.
 * @example recordTopic({ kind: 'obu', endpoint: 'urn:dev:sefleet:obu-000001' })
 */
export function recordTopic({ kind, endpoint }: RecordTopic): string {
  if (!isEndpoint(endpoint)) {
    throw coseError('COSE_RECORD_INVALID', `an endpoint name has 1 to ${MAX_ENDPOINT_BYTES} bytes`);
  }
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  const level = endpoint.replaceAll(/[%/+#\u0000-\u001f\u007f]/g, (character) =>
    encodeURIComponent(character),
  );
  return `sefleet/v1/${kind}/${level}/records`;
}

/** Reads a topic. @throws SefleetError `COSE_RECORD_MALFORMED`, fault `peer`. */
export function parseRecordTopic(topic: string): RecordTopic {
  const levels = topic.length <= MAX_TOPIC_LENGTH ? topic.split('/') : [];
  const [root, version, kindName, level = '', last] = levels;
  const kind = KINDS.find((candidate) => candidate === kindName);
  if (
    levels.length !== 5 ||
    root !== 'sefleet' ||
    version !== 'v1' ||
    kind === undefined ||
    last !== 'records'
  ) {
    throw coseError('COSE_RECORD_MALFORMED', 'the topic is not sefleet/v1/<kind>/<endpoint>/records');
  }
  const endpoint = decodeLevel(level);
  // One device has one topic: another spelling of the same name is refused.
  if (endpoint === undefined || !isEndpoint(endpoint) || recordTopic({ kind, endpoint }) !== topic) {
    throw coseError('COSE_RECORD_MALFORMED', 'the topic names no endpoint');
  }
  return { kind, endpoint };
}

function decodeLevel(level: string): string | undefined {
  try {
    return decodeURIComponent(level);
  } catch {
    return undefined;
  }
}

function isEndpoint(endpoint: string): boolean {
  const length = Buffer.byteLength(endpoint, 'utf8');
  return length > 0 && length <= MAX_ENDPOINT_BYTES && endpoint.isWellFormed();
}
