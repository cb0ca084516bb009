import { provisioning } from '@sefleet/api';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import type { KeyCustody } from '../../custody/key-custody.ts';
import { IOT_SAFE_CONTAINER } from '../../domain/card-plan.ts';
import { NETWORK_PROVIDER } from '../../domain/party.ts';
import { parsePskIdentity, pskIdentity, type PskPurpose } from '../../domain/psk-identity.ts';
import { provisioningError } from '../../errors.ts';
import { FIRST_PSK_VERSION, pskLabel, PSK_BYTES, softwarePsk } from '../../manufacture/first-keys.ts';
import type { Device, ProvisioningStore } from '../../store/provisioning-store.ts';
import { requirePermission } from './authorisation.ts';
import { toApiKind } from './messages.ts';

const MAX_LOOKUPS = 10_000;
const SHORT_SERVER_ID = 1;
const SECURITY_INSTANCE = 1;
const SERVER_INSTANCE = 0;
/** What stands in object 0 in place of a key that is in the card. */
const MANAGEMENT_PSK_REFERENCE = Buffer.from(`se:${IOT_SAFE_CONTAINER.managementPsk}`);

/** What the LwM2M servers need to recognise devices. */
export function serveCredentials(options: {
  readonly store: ProvisioningStore;
  readonly custody: KeyCustody;
  readonly lwm2mUri: string;
  readonly lifetimeSeconds: number;
  readonly log: EventLog;
}): ServedService {
  const { store, custody, log } = options;
  const network = custody.vault(NETWORK_PROVIDER);
  const psk = async (endpoint: string, purpose: PskPurpose, make: Device['make']): Promise<Uint8Array> => {
    const derived = await network.derive('psk', FIRST_PSK_VERSION, pskLabel(endpoint, purpose), PSK_BYTES);
    return make === 'software' ? softwarePsk(derived) : derived;
  };
  return serve(provisioning.CredentialService, {
    lookupPsks: async ({ identities }, { caller }) => {
      requirePermission(caller, 'read-transport-keys', log);
      checkCount(identities);
      const parsed = identities.map((identity) => ({ identity, ...parsePskIdentity(identity) }));
      const devices = await store.devices(parsed.map(({ endpoint }) => endpoint));
      const known = parsed.flatMap(({ identity, endpoint, purpose }) => {
        const device = devices.get(endpoint);
        return device === undefined ? [] : [{ identity, purpose, device }];
      });
      const credentials = await Promise.all(
        known.map(async ({ identity, purpose, device }) => ({
          identity,
          endpoint: device.endpoint,
          psk: await psk(device.endpoint, purpose, device.make),
          kind: toApiKind(device.kind),
          bootstrap: purpose === 'bootstrap',
        })),
      );
      return { credentials };
    },
    lookupOwnCredentials: async ({ references }, { caller }) => {
      requirePermission(caller, 'read-transport-keys', log);
      checkCount(references);
      const held = await store.ownCredentials(references);
      return {
        credentials: held.map(({ reference, device: { endpoint, kind }, authority }) => {
          return { reference, endpoint, kind: toApiKind(kind), authority };
        }),
      };
    },
    getBootstrapConfiguration: async ({ endpoint }, { caller }) => {
      requirePermission(caller, 'read-transport-keys', log);
      const device = (await store.devices([endpoint])).get(endpoint);
      if (device === undefined)
        throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `no device ${endpoint}`);
      const held = device.make === 'card';
      const secretKey = held ? MANAGEMENT_PSK_REFERENCE : await psk(endpoint, 'management', device.make);
      return { deletes: ['/0', '/1'], servers: [managementAccount(endpoint, secretKey, options)] };
    },
  });
}

function checkCount(asked: readonly string[]): void {
  if (asked.length <= MAX_LOOKUPS) return;
  throw provisioningError('PROVISIONING_REQUEST_INVALID', `at most ${MAX_LOOKUPS} look-ups at a time`);
}

function managementAccount(
  endpoint: string,
  secretKey: Uint8Array,
  { lwm2mUri, lifetimeSeconds }: { readonly lwm2mUri: string; readonly lifetimeSeconds: number },
): MessageInitShape<typeof provisioning.ServerAccountSchema> {
  return {
    securityInstance: SECURITY_INSTANCE,
    serverInstance: SERVER_INSTANCE,
    shortServerId: SHORT_SERVER_ID,
    uri: lwm2mUri,
    pskIdentity: pskIdentity(endpoint, 'management'),
    secretKey,
    lifetimeSeconds,
    binding: 'U',
    notificationStoring: true,
  };
}
