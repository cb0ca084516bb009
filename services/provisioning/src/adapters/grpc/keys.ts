import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { randomUUID } from 'node:crypto';
import { parties } from '@sefleet/api';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import type { KeyRecord } from '../../custody/key-custody.ts';
import type { KeyAction } from '../../domain/key-life-cycle.ts';
import { provisioningError } from '../../errors.ts';
import { PROVISIONING_EVENTS } from '../../events.ts';
import type { KeyOffice } from '../../keys/key-office.ts';
import type { Gate } from '../../parties/gate.ts';

const { KeyAction: Action } = parties;
const ACTIONS: ReadonlyMap<parties.KeyAction, KeyAction> = new Map([
  [Action.ACTIVATE, 'activate'],
  [Action.SUSPEND, 'suspend'],
  [Action.RESUME, 'resume'],
  [Action.REVOKE, 'revoke'],
  [Action.DESTROY, 'destroy'],
]);

/** The life of keys over gRPC: a party's certificate reaches the party's own keys only. */
export function serveKeys(options: {
  readonly keys: KeyOffice;
  readonly gate: Gate;
  readonly log: EventLog;
}): ServedService {
  const { keys, gate, log } = options;
  return serve(parties.KeyService, {
    listKeys: async ({ party }, { caller }) => {
      const owner = await gate.requireOwner(caller, party, 'list-keys');
      return { keys: (await keys.list(owner)).map((key) => toKey(owner, key)) };
    },
    getKeyHistory: async ({ party, purpose, version }, { caller }) => {
      const owner = await gate.requireOwner(caller, party, 'read-key-history');
      const events = await keys.history(owner, purpose, version);
      return {
        events: events.map(({ at, from, to, reason }) => {
          return { at: timestampFromMs(at), from: from ?? '', to, reason };
        }),
      };
    },
    changeKeyState: async ({ party, purpose, version, action, reason }, { caller }) => {
      const owner = await gate.requireOwner(caller, party, 'change-key-state');
      const wanted = ACTIONS.get(action);
      if (wanted === undefined) throw provisioningError('PROVISIONING_REQUEST_INVALID', 'no such action');
      const key = await keys.change(owner, purpose, version, wanted, reason, caller);
      const { state } = key;
      log.emit(PROVISIONING_EVENTS.keyStateChanged, { party: owner, purpose, version, state, caller });
      return { key: toKey(owner, key) };
    },
    renewKey: async ({ party, purpose }, { caller }) => {
      const owner = await gate.requireOwner(caller, party, 'renew-key');
      const { key, rotationId } = await keys.renew(owner, purpose, `renewal ${randomUUID()}`);
      log.emit(PROVISIONING_EVENTS.keyRenewed, { party: owner, version: key.version, rotationId, caller });
      return { key: toKey(owner, key), rotationId };
    },
  });
}

function toKey(party: string, key: KeyRecord): MessageInitShape<typeof parties.KeySchema> {
  const { purpose, version, state, createdAt, expiresAt, fingerprint } = key;
  return {
    party,
    purpose,
    version,
    state,
    createdAt: timestampFromMs(createdAt),
    ...(expiresAt === undefined ? {} : { expiresAt: timestampFromMs(expiresAt) }),
    fingerprint,
  };
}
