import { provisioning } from '@sefleet/api';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { toHex } from '@sefleet/bytes';
import { aesKeyCheckValue } from '@sefleet/globalplatform';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import type { KeyCustody } from '../../custody/key-custody.ts';
import { keyVersionOf } from '../../domain/key-versions.ts';
import { mayDo } from '../../domain/contract.ts';
import { findParty } from '../../domain/party.ts';
import { provisioningError } from '../../errors.ts';
import type { Gate } from '../../parties/gate.ts';
import type { PartyOffice } from '../../parties/party-office.ts';
import type { RotationOrders } from '../../rotation/rotation-orders.ts';
import type { Device, DomainState, ProvisioningStore } from '../../store/provisioning-store.ts';
import { requirePermission } from './authorisation.ts';
import { toApiKind, toRotationState } from './messages.ts';

/** Rotations and key states over gRPC. */
export function serveRotations(options: {
  readonly orders: RotationOrders;
  readonly store: ProvisioningStore;
  readonly custody: KeyCustody;
  readonly parties: PartyOffice;
  readonly gate: Gate;
  readonly log: EventLog;
}): ServedService {
  const { orders, store, custody, parties, gate, log } = options;
  return serve(provisioning.RotationService, {
    startRotation: async (order, { caller }) => {
      // A party rotates its own keys, which are on its own domains only.
      if (findParty(caller) === undefined) requirePermission(caller, 'rotate-keys', log);
      else await gate.requireOwner(caller, order.stakeholder, 'rotate-keys');
      return { rotation: toRotationState(await orders.start(order)) };
    },
    getRotation: async ({ rotationId }, { caller }) => {
      requirePermission(caller, 'read-key-states', log);
      return { rotation: toRotationState(await orders.progress(rotationId)) };
    },
    listSecurityDomains: async ({ endpoint }, { caller }) => {
      const isParty = findParty(caller) !== undefined;
      if (!isParty) requirePermission(caller, 'read-key-states', log);
      const held = isParty ? await parties.rolesFor(endpoint) : [];
      if (isParty && !mayDo(held, caller, 'see-domain')) await gate.refuse(caller, 'see-domain', endpoint);
      const device = (await store.devices([endpoint])).get(endpoint);
      if (device === undefined)
        throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `no device ${endpoint}`);
      const domains = (await store.domains(endpoint)).filter(({ party }) => !isParty || party === caller);
      return {
        securityDomains: await Promise.all(
          domains.map((domain) => toSecurityDomain(domain, device, custody)),
        ),
      };
    },
    getKeyStatistics: async (_request, { caller }) => {
      requirePermission(caller, 'read-key-states', log);
      const latest = await store.latestRotation();
      const kinds = (await store.countByKind()).map(({ kind, manufactured, rotated }) => {
        return { kind: toApiKind(kind), manufactured: BigInt(manufactured), rotated: BigInt(rotated) };
      });
      return latest === undefined ? { kinds } : { kinds, latestRotation: toRotationState(latest) };
    },
  });
}

async function toSecurityDomain(state: DomainState, device: Device, custody: KeyCustody) {
  const { generation, party, rotatedAt } = state;
  const keys = await custody.vault(party).diversify('domain', generation, device.diversification);
  const checkValues = [keys.enc, keys.mac, keys.dek].map((key) => toHex(aesKeyCheckValue(key)));
  return {
    aid: state.domain,
    stakeholder: party,
    lifeCycle: 'PERSONALIZED',
    keySets: [{ keyVersion: keyVersionOf(generation), checkValues }],
    ...(rotatedAt === undefined ? {} : { rotatedAt: timestampFromMs(rotatedAt) }),
  };
}
