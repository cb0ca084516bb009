import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { DeviceEventType } from '../../domain/events/device-event.ts';
import type { JournalItem } from '../../domain/events/event-journal.ts';
import { toSenmlJson } from '../../domain/senml.ts';
import { serviceError } from '../../errors.ts';

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
const NAMES: ReadonlyMap<management.EventType, DeviceEventType> = new Map(
  TYPES.map(([name, type]) => [type, name]),
);

/**
 * The journal's types of a request's ones; SKIPPED comes whether it is asked for or not.
 *
 * @throws SefleetError `LWM2M_REQUEST_INVALID` for a type that is none: without it the rest would be all
 */
export function toEventTypes(types: readonly management.EventType[]): ReadonlySet<DeviceEventType> {
  const unknown = types.find((type) => type !== EventType.SKIPPED && !NAMES.has(type));
  const wanted = types.flatMap((type) => NAMES.get(type) ?? []);
  if (unknown !== undefined || (types.length > 0 && wanted.length === 0)) {
    throw serviceError('LWM2M_REQUEST_INVALID', `types: ${unknown ?? 'SKIPPED alone'} is no type of event`);
  }
  return new Set(wanted);
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
