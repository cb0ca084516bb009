import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { management } from '@sefleet/api';
import type { ModelRegistry } from '@sefleet/lwm2m';
import type { CallContext, ServiceImplementation } from '@sefleet/service';
import { isUnrestricted } from '../../domain/access/access-rule.ts';
import { operationNotFound } from '../../domain/operations/operation-queue.ts';
import type { OperationQueue } from '../../domain/operations/operation-queue.ts';
import type {
  QueuedOperation,
  QueuedOperationState,
  QueuedOperationStore,
} from '../../domain/operations/queued-operation.ts';
import { serviceError } from '../../errors.ts';
import type { DeviceAccess } from './device-access.ts';
import { toOperation } from './operation-message.ts';
import { fromPageToken, pageSizeOf, toPageToken } from './paging.ts';

type Calls = Pick<
  ServiceImplementation<typeof management.DeviceManagementService>,
  'enqueueOperation' | 'getQueuedOperation' | 'listQueuedOperations' | 'cancelQueuedOperation'
>;
type Caller = Pick<CallContext, 'caller'>;

/** What calls about queued operations work with. */
export interface QueuedOperationParts {
  readonly access: DeviceAccess;
  readonly operations: OperationQueue;
  readonly queued: QueuedOperationStore;
  readonly models: ModelRegistry;
}

const STATES: Readonly<Record<QueuedOperationState, management.QueuedOperationState>> = {
  waiting: management.QueuedOperationState.WAITING,
  underWay: management.QueuedOperationState.UNDER_WAY,
  answered: management.QueuedOperationState.ANSWERED,
  failed: management.QueuedOperationState.FAILED,
  expired: management.QueuedOperationState.EXPIRED,
  cancelled: management.QueuedOperationState.CANCELLED,
};
const OPERATION_ID = /^[\w.:-]{1,64}$/;
const ENDPOINT_CHARACTERS_MAX = 255;
const EXPIRE_SECONDS = 86_400;
const EXPIRE_SECONDS_MAX = 2_592_000;

/** Operations that wait for their device, for callers. */
export function queuedOperations(parts: QueuedOperationParts): Calls {
  const { access, operations, queued } = parts;
  return {
    enqueueOperation: async (request, context) => ({
      operation: toMessage(await enqueue(parts, request, context)),
    }),
    getQueuedOperation: async ({ operationId }, context) => ({
      operation: toMessage(await ownOperation(parts, context, operationId)),
    }),
    listQueuedOperations: async ({ pageSize, pageToken, endpoint, onlyOpen }, context) => {
      const limit = pageSizeOf(pageSize);
      const queuedBy = isUnrestricted(access.require(context, 'list')) ? '' : context.caller;
      const after = Number(fromPageToken(pageToken));
      if (!Number.isSafeInteger(after)) {
        throw serviceError('LWM2M_PAGE_TOKEN_INVALID', 'page_token is not one of this service');
      }
      const found = await queued.page({ after, limit, endpoint, queuedBy, onlyOpen });
      const last = found.length === limit ? found.at(-1) : undefined;
      return {
        operations: found.map(toMessage),
        nextPageToken: last === undefined ? '' : toPageToken(String(last.sequence)),
      };
    },
    cancelQueuedOperation: async ({ operationId }, context) => {
      await ownOperation(parts, context, operationId);
      return { operation: toMessage(await operations.cancel(operationId)) };
    },
  };
}

function enqueue(
  { access, operations, models }: QueuedOperationParts,
  request: management.EnqueueOperationRequest,
  { caller }: Caller,
): Promise<QueuedOperation> {
  const { operationId, endpoint, expireSeconds } = request;
  if (!OPERATION_ID.test(operationId)) {
    throw serviceError(
      'LWM2M_REQUEST_INVALID',
      'operation_id has 1 to 64 of the characters A-Z a-z 0-9 _ . : -',
    );
  }
  if (endpoint === '' || endpoint.length > ENDPOINT_CHARACTERS_MAX) {
    throw serviceError('LWM2M_REQUEST_INVALID', `endpoint has 1 to ${ENDPOINT_CHARACTERS_MAX} characters`);
  }
  if (expireSeconds > EXPIRE_SECONDS_MAX) {
    throw serviceError('LWM2M_REQUEST_INVALID', `expire_seconds is ${EXPIRE_SECONDS_MAX} at most`);
  }
  const { operation, paths, needs } = toOperation(request.operation, models);
  for (const need of needs) access.checkEndpoint({ caller }, need, endpoint, paths);
  return operations.enqueue({
    endpoint,
    operation,
    id: operationId,
    expireSeconds: expireSeconds || EXPIRE_SECONDS,
    queuedBy: caller,
  });
}

/** An operation that the caller asked for, or any for one without restrictions; others see none. */
async function ownOperation(
  { access, operations }: QueuedOperationParts,
  context: Caller,
  id: string,
): Promise<QueuedOperation> {
  const rule = access.require(context, 'list');
  const operation = await operations.find(id);
  if (isUnrestricted(rule) || operation.queuedBy === context.caller) return operation;
  throw operationNotFound(id);
}

function toMessage(operation: QueuedOperation): MessageInitShape<typeof management.QueuedOperationSchema> {
  const { id, endpoint, state, code, senmlJson, text, error, attempts, queuedBy } = operation;
  const { queuedAtMs, expiresAtMs, endedAtMs } = operation;
  return {
    endpoint,
    code,
    senmlJson,
    text,
    error,
    attempts,
    queuedBy,
    operationId: id,
    state: STATES[state],
    queuedAt: timestampFromMs(queuedAtMs),
    expiresAt: timestampFromMs(expiresAtMs),
    ...(endedAtMs === undefined ? {} : { endedAt: timestampFromMs(endedAtMs) }),
  };
}
