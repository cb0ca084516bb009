import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampDate, timestampFromMs, type Timestamp } from '@bufbuild/protobuf/wkt';
import { common, parties } from '@sefleet/api';
import { serve, type ServedService } from '@sefleet/service';
import { ROLE_PRIVILEGES, type Contract } from '../../domain/contract.ts';
import { allParties, CONTROLLING_AUTHORITY, findParty, partyId, type Party } from '../../domain/party.ts';
import { provisioningError } from '../../errors.ts';
import type { Gate } from '../../parties/gate.ts';
import { roleOf, type PartyOffice } from '../../parties/party-office.ts';
import type { PartyStore } from '../../store/party-store.ts';
import { fromApiKind, toApiKind } from './messages.ts';

const REFUSALS_DEFAULT = 100;
const REFUSALS_MAX = 1000;

/** The registry of parties over gRPC. */
export function serveParties(options: {
  readonly office: PartyOffice;
  readonly gate: Gate;
  readonly store: PartyStore;
  readonly authorityPem: string;
}): ServedService {
  const { office, gate, store, authorityPem } = options;
  return serve(parties.PartyService, {
    addParty: async ({ name, title, roles }, { caller }) => {
      await gate.requireOperator(caller, 'add-party', name);
      return { party: toParty(await office.add(name, title, roles)) };
    },
    listParties: async (_request, { caller }) => {
      if (findParty(caller) === undefined) await gate.requireOperator(caller, 'list-parties', '');
      return { parties: allParties().map(toParty) };
    },
    issueCertificate: async ({ party, publicKey }, { caller }) => {
      await gate.requireOperator(caller, 'issue-certificate', party, CONTROLLING_AUTHORITY);
      const certificate = await office.certify(party, publicKey);
      return {
        certificatePem: certificate.toString(),
        authorityPem,
        serialNumber: certificate.serialNumber.toLowerCase(),
      };
    },
    addContract: async ({ contract }, { caller }) => {
      await gate.requireOperator(caller, 'add-contract', contract?.party ?? '');
      if (contract === undefined) throw provisioningError('PROVISIONING_REQUEST_INVALID', 'no contract');
      return { contract: toContract(await office.addContract(fromContract(contract))) };
    },
    endContract: async ({ contractId, reason }, { caller }) => {
      await gate.requireOperator(caller, 'end-contract', contractId);
      await office.endContract(contractId, reason);
      return {};
    },
    listContracts: async ({ party }, { caller }) => {
      if (party !== caller || findParty(caller) === undefined) {
        await gate.requireOperator(caller, 'list-contracts', party);
      }
      return { contracts: (await office.contracts(party)).map(toContract) };
    },
    getDeviceRoles: async ({ endpoint }, { caller }) => {
      if (findParty(caller) === undefined) await gate.requireOperator(caller, 'see-device-roles', endpoint);
      const held = await office.rolesFor(endpoint);
      // Who has a role for the device may know the others; who has none learns nothing of it.
      if (!held.some(({ party }) => party === caller)) {
        await gate.requireOperator(caller, 'see-device-roles', endpoint);
      }
      return { roles: held.map((role) => ({ ...role, privileges: [...ROLE_PRIVILEGES[role.role]] })) };
    },
    listRefusals: async ({ limit }, { caller }) => {
      await gate.requireOperator(caller, 'list-refusals', '');
      const refusals = await store.refusals(limit === 0 ? REFUSALS_DEFAULT : Math.min(limit, REFUSALS_MAX));
      return { refusals: refusals.map(({ at, ...rest }) => ({ at: timestampFromMs(at), ...rest })) };
    },
  });
}

function toParty({ id, name, roles, number }: Party): MessageInitShape<typeof parties.PartySchema> {
  return { name: id, title: name, roles: [...roles], number };
}

function toContract(contract: Contract): MessageInitShape<typeof parties.ContractSchema> {
  const { contractId, party, role, subject, validFrom, validUntil, reference, endedBecause } = contract;
  return {
    contractId,
    party,
    role,
    endpoint: 'endpoint' in subject ? subject.endpoint : '',
    kind: 'kind' in subject ? toApiKind(subject.kind) : common.DeviceKind.UNSPECIFIED,
    validFrom: timestampFromMs(validFrom),
    ...(validUntil === undefined ? {} : { validUntil: timestampFromMs(validUntil) }),
    reference,
    endedBecause,
  };
}

function fromContract(contract: parties.Contract): Contract {
  const { contractId, party, role, endpoint, kind, validFrom, validUntil, reference } = contract;
  if ((endpoint === '') === (kind === common.DeviceKind.UNSPECIFIED)) {
    throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a contract is about a device or about a kind');
  }
  return {
    contractId,
    party: partyId(party),
    role: roleOf(role),
    subject: endpoint === '' ? { kind: fromApiKind(kind) } : { endpoint },
    validFrom: toMs(validFrom) ?? 0,
    validUntil: toMs(validUntil),
    reference,
    endedBecause: '',
  };
}

function toMs(timestamp: Timestamp | undefined): number | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp).getTime();
}
