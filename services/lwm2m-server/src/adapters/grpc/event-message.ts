import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { DeviceEventType } from '../../domain/events/device-event.ts';
import type { JournalItem } from '../../domain/events/event-journal.ts';
import { toSenmlJson } from '../../domain/senml.ts';

const { EventType } = management;

const TYPES: readonly (readonly [DeviceEventType, management.EventType])[] = [
  ['bootstrapped', EventType.BOOTSTRAPPED],
  ['registered', EventType.REGISTERED],
  ['updated', EventType.UPDATED],
  ['deregistered', EventType.DEREGISTERED],
  ['expired', EventType.EXPIRED],
  ['sleeping', EventType.SLEEPING],
  ['notification', EventType.NOTIFICATION],
  ['send', EventType.SEND],
  ['operationEnded', EventType.OPERATION_ENDED],
  ['refused', EventType.REFUSED],
];
const MESSAGE_TYPES: ReadonlyMap<DeviceEventType, management.EventType> = new Map(TYPES);

/** The journal's types of a request's ones. */
export function toEventTypes(types: readonly management.EventType[]): ReadonlySet<DeviceEventType> {
  return new Set(TYPES.filter(([, type]) => types.includes(type)).map(([name]) => name));
}

/** One item of the journal as the contract has it. */
export function toEventMessage(
  item: JournalItem,
  models: ModelRegistry,
): MessageInitShape<typeof management.WatchEventsResponseSchema> {
  const { resumeToken } = item;
  if (item.kind === 'skipped') {
    return { type: EventType.SKIPPED, skipped: BigInt(item.count), resumeToken };
  }
  const { type, endpoint, atMs, path, entries, operation, reason = '' } = item.event;
  return {
    type: MESSAGE_TYPES.get(type) ?? EventType.UNSPECIFIED,
    endpoint,
    at: timestampFromMs(atMs),
    path,
    senmlJson: toSenmlJson(entries, models),
    resumeToken,
    operationId: operation?.id ?? '',
    code: operation?.code ?? '',
    reason,
  };
}
