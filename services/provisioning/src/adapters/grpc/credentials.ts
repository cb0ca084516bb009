import { provisioning } from '@sefleet/api';
import type { EventLog } from '@sefleet/observability';
import { serve, type ServedService } from '@sefleet/service';
import type { KeyCustody } from '../../custody/key-custody.ts';
import { parseStakeholderIdentity, type ServerAccountConfiguration } from '@sefleet/lwm2m-coap';
import { DEFAULT_CONNECTIVITY } from '../../domain/connectivity.ts';
import { findParty, NETWORK_PROVIDER, type PartyId } from '../../domain/party.ts';
import { parsePskIdentity, pskIdentity, type PskPurpose } from '../../domain/psk-identity.ts';
import { provisioningError } from '../../errors.ts';
import { stakeholderPsk } from '../../manufacture/credential-commands.ts';
import { FIRST_PSK_VERSION, pskLabel, PSK_BYTES, softwarePsk } from '../../manufacture/first-keys.ts';
import type { Device, HeldCredential, ProvisioningStore } from '../../store/provisioning-store.ts';
import type { AccountHolder, ServerAccounts } from '../../manufacture/server-accounts.ts';
import { requirePermission } from './authorisation.ts';
import { toApiAccount } from './connectivity.ts';
import { toApiKind } from './messages.ts';

const MAX_LOOKUPS = 10_000;

/** What the LwM2M servers need to recognise devices. */
export function serveCredentials(options: {
  readonly store: ProvisioningStore;
  readonly custody: KeyCustody;
  readonly accounts: ServerAccounts;
  readonly log: EventLog;
  /** True for devices that were taken out: servers are told nothing that would let them in. */
  readonly isOut: (endpoint: string) => boolean;
}): ServedService {
  const { custody, accounts, log, isOut } = options;
  const store = withoutRevoked(options.store, isOut);
  const network = custody.vault(NETWORK_PROVIDER);
  const psk = async (endpoint: string, purpose: PskPurpose, make: Device['make']): Promise<Uint8Array> => {
    const derived = await network.derive('psk', FIRST_PSK_VERSION, pskLabel(endpoint, purpose), PSK_BYTES);
    return make === 'software' ? softwarePsk(derived) : derived;
  };
  return serve(provisioning.CredentialService, {
    lookupPsks: async ({ identities }, { caller }) => {
      checkCount(identities);
      const party = findParty(caller);
      if (party !== undefined)
        return { credentials: await stakeholderPsks(party.id, identities, { store, custody }) };
      requirePermission(caller, 'read-transport-keys', log);
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
        credentials: held.map(toApiCredential),
      };
    },
    getBootstrapConfiguration: async ({ endpoint }, { caller }) => {
      requirePermission(caller, 'read-transport-keys', log);
      const device = (await store.devices([endpoint])).get(endpoint);
      if (device === undefined)
        throw provisioningError('PROVISIONING_DEVICE_NOT_FOUND', `no device ${endpoint}`);
      const account =
        device.make === 'card'
          ? accounts.management(await holderOf(device, store))
          : softwareAccount(endpoint, await psk(endpoint, 'management', device.make), accounts);
      const servers = [account, ...(await stakeholderAccounts(device, { store, accounts }))];
      return { deletes: ['/0', '/1'], servers: servers.map(toApiAccount) };
    },
  });
}

function toApiCredential({ reference, device: { endpoint, kind }, authority }: HeldCredential) {
  return { reference, endpoint, kind: toApiKind(kind), authority };
}

type VisibleStore = Pick<ProvisioningStore, 'devices' | 'ownCredentials' | 'accounts' | 'cards'>;

/** The store as servers may see it: devices that were taken out are not there. */
function withoutRevoked(store: ProvisioningStore, isOut: (endpoint: string) => boolean): VisibleStore {
  return {
    devices: (endpoints) => store.devices(endpoints.filter((endpoint) => !isOut(endpoint))),
    ownCredentials: async (references) =>
      (await store.ownCredentials(references)).filter(({ device }) => !isOut(device.endpoint)),
    accounts: (endpoint) => store.accounts(endpoint),
    cards: (endpoints) => store.cards(endpoints),
  };
}

/** The accounts of a device on servers of stakeholders; a device that others made the card of has none. */
async function stakeholderAccounts(
  { endpoint, kind, make }: Device,
  { store, accounts }: { readonly store: VisibleStore; readonly accounts: ServerAccounts },
): Promise<readonly ServerAccountConfiguration[]> {
  const stakeholders = make === 'card' ? await store.accounts(endpoint) : [];
  return stakeholders
    .map((party) => accounts.stakeholder(endpoint, kind, party))
    .filter((account) => account !== undefined);
}

/** The keys of a stakeholder's own accounts, for its own server; of nobody else's. */
async function stakeholderPsks(
  party: PartyId,
  identities: readonly string[],
  { store, custody }: { readonly store: VisibleStore; readonly custody: KeyCustody },
) {
  const own = identities.flatMap((identity) => {
    const account = parseStakeholderIdentity(identity);
    return account?.stakeholder === party ? [{ identity, endpoint: account.endpoint }] : [];
  });
  const devices = await store.devices(own.map(({ endpoint }) => endpoint));
  const vault = custody.vault(party);
  const found = own.map(async ({ identity, endpoint }) => {
    const device = devices.get(endpoint);
    if (device === undefined || !(await store.accounts(endpoint)).includes(party)) return [];
    const psk = await stakeholderPsk(vault, endpoint);
    return [{ identity, endpoint, psk, kind: toApiKind(device.kind), bootstrap: false }];
  });
  return (await Promise.all(found)).flat();
}

function checkCount(asked: readonly string[]): void {
  if (asked.length <= MAX_LOOKUPS) return;
  throw provisioningError('PROVISIONING_REQUEST_INVALID', `at most ${MAX_LOOKUPS} look-ups at a time`);
}

async function holderOf({ endpoint, connectivity }: Device, store: VisibleStore): Promise<AccountHolder> {
  // Only accounts with a key pair show the certificate.
  const isNeeded = connectivity.credential === 'x509' || connectivity.credential === 'rpk';
  const card = isNeeded ? (await store.cards([endpoint])).get(endpoint) : undefined;
  return { endpoint, connectivity, certificate: card?.certificateChain[0] ?? new Uint8Array() };
}

/** The account of a device whose owner holds its key: the key itself is written. */
function softwareAccount(
  endpoint: string,
  key: Uint8Array,
  accounts: ServerAccounts,
): ServerAccountConfiguration {
  const holder = { endpoint, connectivity: DEFAULT_CONNECTIVITY, certificate: new Uint8Array() };
  const identity = pskIdentity(endpoint, 'management');
  return { ...accounts.management(holder), security: { mode: 'psk', identity, key } };
}
