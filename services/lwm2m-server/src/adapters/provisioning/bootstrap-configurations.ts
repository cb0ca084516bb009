import { provisioning } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import { Lwm2mPath, OBJECT_ID } from '@sefleet/lwm2m';
import { accountWrites } from '@sefleet/lwm2m-coap';
import type { BootstrapConfiguration, ServerAccountConfiguration } from '@sefleet/lwm2m-coap';
import type { GrpcClient } from '@sefleet/service';
import { accessLists } from '../../domain/access-lists.ts';
import { shardOf } from '../../domain/shard-map.ts';

type Client = Pick<GrpcClient<typeof provisioning.CredentialService>, 'getBootstrapConfiguration'>;

const Mode = provisioning.SecurityMode;
const DEADLINE_MS = 10_000;

/**
 * What the bootstrap server writes to a device, asked of provisioning; undefined when it knows no such
 * device.
 *
 * @param shards management servers that take the place of the one that provisioning names, if there are any
 */
export async function bootstrapConfigurationFor(
  client: Client,
  endpoint: string,
  shards: readonly string[],
): Promise<BootstrapConfiguration | undefined> {
  try {
    const { deletes, servers } = await client.getBootstrapConfiguration(
      { endpoint },
      { deadlineMs: DEADLINE_MS },
    );
    const shard = shardOf(endpoint, shards);
    const [network, ...others] = servers;
    const configuration = {
      deletes: deletes.map((path) => Lwm2mPath.parse(path)),
      writes: servers.flatMap((account) => toWrites(account, shard)),
    };
    if (network === undefined || others.length === 0) return configuration;
    return {
      deletes: [...configuration.deletes, new Lwm2mPath(OBJECT_ID.ACCESS_CONTROL)],
      writes: configuration.writes,
      inspect: { discover: true, reads: [] },
      writesFor: ({ links = [] }) => accessLists(network, others, links),
    };
  } catch (error) {
    if (isSefleetError(error) && error.fault === 'caller') return undefined;
    throw error;
  }
}

const PLAIN_LIFETIME_SECONDS = 300;

/** What a device without a credential is told: where the management server is, and no secret. */
export function plainConfiguration(uri: string): BootstrapConfiguration {
  const account = {
    uri,
    securityInstance: 1,
    serverInstance: 0,
    shortServerId: 1,
    security: { mode: 'none' },
    lifetimeSeconds: PLAIN_LIFETIME_SECONDS,
    binding: uri.startsWith('coap+tcp') ? 'T' : 'U',
    notificationStoring: true,
  } as const;
  return { deletes: ['/0', '/1'].map((path) => Lwm2mPath.parse(path)), writes: accountWrites(account) };
}

function toWrites(
  account: provisioning.ServerAccount,
  shard: string | undefined,
): BootstrapConfiguration['writes'] {
  const { securityInstance, serverInstance, shortServerId, lifetimeSeconds, notificationStoring } = account;
  const binding = account.binding === '' ? 'U' : account.binding;
  return accountWrites({
    securityInstance,
    serverInstance,
    shortServerId,
    uri: shard === undefined ? account.uri : onShard(account.uri, shard),
    security: toSecurity(account),
    lifetimeSeconds,
    binding,
    notificationStoring,
  });
}

/** The shard, by the transport that the account asks for; shards offer each on the port of one number. */
function onShard(uri: string, shard: string): string {
  const scheme = uri.slice(0, uri.indexOf('://'));
  return scheme.startsWith('coaps') ? scheme + shard.slice(shard.indexOf('://')) : uri;
}

function toSecurity(account: provisioning.ServerAccount): ServerAccountConfiguration['security'] {
  const { pskIdentity, secretKey, publicKey, serverPublicKey, certificateUsage } = account;
  switch (account.securityMode) {
    case Mode.RAW_PUBLIC_KEY:
      return { mode: 'rpk', publicKey, serverPublicKey, secretKey };
    case Mode.CERTIFICATE:
      return { mode: 'x509', publicKey, serverPublicKey, secretKey, certificateUsage };
    default:
      return pskIdentity === '' ? { mode: 'none' } : { mode: 'psk', identity: pskIdentity, key: secretKey };
  }
}
