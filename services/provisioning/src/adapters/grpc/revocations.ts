import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { parties } from '@sefleet/api';
import { serve, type ServedService } from '@sefleet/service';
import { CONTROLLING_AUTHORITY } from '../../domain/party.ts';
import { provisioningError } from '../../errors.ts';
import type { Gate } from '../../parties/gate.ts';
import type { CardLists } from '../../revocation/card-lists.ts';
import type { RevocationOffice } from '../../revocation/revocation-office.ts';

/** Revocation over gRPC. */
export function serveRevocations(options: {
  readonly office: RevocationOffice;
  readonly cards: CardLists;
  readonly gate: Gate;
}): ServedService {
  const { office, cards, gate } = options;
  return serve(parties.RevocationService, {
    revoke: async ({ subject, reason }, { caller }) => {
      await gate.requireOperator(caller, 'revoke', subject.value ?? '', CONTROLLING_AUTHORITY);
      switch (subject.case) {
        case 'endpoint':
          return { serialNumbers: [...(await office.revokeDevice(subject.value, reason))] };
        case 'party': {
          const serialNumbers = [...(await office.revokeParty(subject.value, reason))];
          void cards.look();
          return { serialNumbers };
        }
        default:
          throw provisioningError('PROVISIONING_REQUEST_INVALID', 'a device or a party is needed');
      }
    },
    listRevocations: async (_request, { caller }) => {
      await gate.requireOperator(caller, 'list-revocations', '', CONTROLLING_AUTHORITY);
      const revocations = await office.revocations();
      return {
        revocations: revocations.map(({ revokedAt, ...rest }) => {
          return { ...rest, revokedAt: timestampFromMs(revokedAt) };
        }),
      };
    },
    // The list says nothing that a caller with a certificate of this authority may not know.
    getRevocationList: async () => ({ revocationList: await office.list() }),
  });
}
